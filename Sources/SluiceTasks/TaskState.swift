// The states of a task are the machine's own: Docs/Tasks.md has the table.

@_exported public import enum SluiceCore.TaskState

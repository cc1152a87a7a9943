// What opening found: the engine's own types, brought out like RecordHeader and for the same reason.

@_exported public import enum SluiceLog.RecoveryFinding
@_exported public import struct SluiceLog.RecoveryReport

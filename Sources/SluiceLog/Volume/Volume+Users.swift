// Users: who may come in where a server asks. Each change is answered when it is durable.

extension Volume {
    /// Every user, by name.
    package var users: [UserRecord] { manifest.state.users.values.sorted { $0.name < $1.name } }

    package func user(_ name: String) -> UserRecord? { manifest.state.users[name] }

    /// Random bytes that belong to the store and that nobody is told; empty before the first user.
    package var userSecret: [UInt8] { manifest.state.userSecret }

    /// Makes a user, or gives one other credentials. Throws `userExists`, `tooLarge`, `closed`, `stopped`.
    ///
    /// - Parameters:
    ///   - user: its name is checked by the caller; it has credentials.
    ///   - secret: becomes the store's when it has none.
    package mutating func setUser(
        _ user: UserRecord, mayReplace: Bool, secret: [UInt8], request: UInt64
    ) throws(LogError) {
        try checkRequest()
        precondition(!user.credentials.isEmpty && !secret.isEmpty)
        guard user.mostBytes <= Limits.userBytes else {
            throw .tooLarge(bytes: user.mostBytes, limit: Limits.userBytes)
        }
        let isThere = willHaveUser(user.name)
        if isThere, !mayReplace { throw .userExists(user.name) }
        // Those that are being recorded count as well, so that the number holds.
        guard isThere || manifest.state.users.count + pendingUsers < Limits.users else {
            throw .tooLarge(bytes: Limits.users + 1, limit: Limits.users)
        }
        if userSecret.isEmpty { manifest.add(.userSecret(secret)) }
        manifest.add(.user(user), .userChanged(request: request))
    }

    /// Deletes a user. Throws `unknownUser`, `closed`, `stopped`.
    package mutating func deleteUser(_ name: String, request: UInt64) throws(LogError) {
        try checkRequest()
        guard willHaveUser(name) else { throw .unknownUser(name) }
        manifest.add(.user(UserRecord(name: name, credentials: [])), .userChanged(request: request))
    }

    /// Whether there is such a user once all that is in line has been recorded.
    private func willHaveUser(_ name: String) -> Bool {
        for entry in manifest.pending.reversed() {
            if case .user(let user) = entry.record, user.name == name { return !user.credentials.isEmpty }
        }
        return manifest.state.users[name] != nil
    }

    private var pendingUsers: Int {
        manifest.pending.count { if case .user = $0.record { true } else { false } }
    }
}

// The topic that a simulated group reads: deleted, what was committed of it put away, its name given up, and
// made anew, as the library does it; and cut short by a crash anywhere in between.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    /// What has become of the topic.
    enum Catalogue: Equatable {
        case there
        /// Its deletion has been asked for.
        case leaving(request: UInt64)
        /// It is gone, and what was committed of it goes; whether its name is held until then.
        case forgetting(ticket: UInt64, isHeld: Bool)
        case releasing(request: UInt64)
        /// It is gone, and what was committed of it may not be.
        case gone
        /// One of its name can be made.
        case free
        case making(request: UInt64)
        /// Which of these, the next opening will tell.
        case unknown
    }

    /// The numbers that the partitions of the last `in` have here.
    var live: Range<Int> { (partitions.count - partitionCount)..<partitions.count }

    /// A partition, as the group knows it.
    func place(_ partition: Int) -> GroupPartition {
        GroupPartition(topic: Self.input, partition: Int32(partition % partitionCount))
    }

    func index(_ place: GroupPartition) -> Int { live.lowerBound + Int(place.partition) }

    /// The volume's number of a partition of `in`, -1 when its topic is gone.
    func number(_ partition: Int) -> Int {
        let number = number(Self.input, partition % partitionCount)
        return live.contains(partition) && number == inputNumbers[partition % partitionCount] ? number : -1
    }

    /// Whether a commit of it is taken.
    func isPresent(_ partition: Int) -> Bool { number(partition) >= 0 }

    /// What members subscribe to.
    var subscribed: (topics: [String], counts: [String: Int32]) {
        store?.volume.topic(Self.input) == nil
            ? ([], [:]) : ([Self.input], [Self.input: Int32(partitionCount)])
    }

    /// Which topic there is now: another than before has partitions of its own.
    func findInput() {
        guard let topic = store?.volume.topic(Self.input) else {
            catalogue = .gone
            return
        }
        catalogue = .there
        inputNumbers = (0..<partitionCount).map { number(Self.input, $0) }
        guard topic.id != inputID else { return }
        inputID = topic.id
        partitions += Array(repeating: Partition(), count: partitionCount)
    }

    func deleteTopic() {
        guard case .there = catalogue else { return }
        lastTicket += 1
        note("delete the topic")
        do throws(LogError) {
            try store?.volume.deleteTopic(Self.input, holdsName: true, request: lastTicket)
            catalogue = .leaving(request: lastTicket)
        } catch {
            note("refused: \(error)")
        }
    }

    func makeTopic() throws(SimulationViolation) {
        guard !mustReopen else { return }
        note("make the topic")
        try make(Self.input, partitionCount, inputSettings)
        catalogue = .making(request: lastTicket)
    }

    /// An answer of the volume, perhaps to one of these.
    func answeredCatalogue(
        _ request: UInt64, _ result: Result<Int64, LogError>
    ) throws(SimulationViolation) {
        let isDone = if case .success = result { true } else { false }
        switch catalogue {
        case .leaving(request):
            // It may stay, or be on its way; if its files stay, it is deleted all the same.
            guard isDone || store?.volume.topic(Self.input) == nil else { return leaveOpen() }
            forget(isHeld: true)
        case .releasing(request):
            guard isDone else { return leaveOpen() }
            catalogue = .free
        case .making(request):
            guard isDone else { return leaveOpen() }
            findInput()
            count(.topicMadeAnew)
            catalogueChanged()
        default: break
        }
    }

    /// What groups have committed of the deleted topic goes.
    func forget(isHeld: Bool) {
        lastTicket += 1
        note("forget what was committed")
        if !isHeld { count(.topicHalfDeleted) }
        catalogue = .forgetting(ticket: lastTicket, isHeld: isHeld)
        coordinator.topicDeleted(Self.input, ticket: lastTicket, now: clock.now)
    }

    func forgotten(_ ticket: UInt64, _ error: GroupError?) {
        guard case .forgetting(ticket, let isHeld) = catalogue else { return }
        note("forgotten: \(error.map { "\($0)" } ?? "all")")
        // The opening after this does it.
        guard error == nil else { return leaveOpen() }
        count(.topicDeleted)
        catalogueChanged()
        guard isHeld else { return catalogue = .free }
        lastTicket += 1
        do throws(LogError) {
            try store?.volume.releaseName(Self.input, request: lastTicket)
            catalogue = .releasing(request: lastTicket)
        } catch {
            note("refused: \(error)")
            leaveOpen()
        }
    }

    private func leaveOpen() {
        mustReopen = true
        catalogue = .unknown
    }

    private func catalogueChanged() {
        let (topics, counts) = subscribed
        for id in consumers.keys.sorted() {
            consumers[id]?.member.topicsChanged(topics: topics, counts: counts)
        }
    }

    /// The topic is there when this returns.
    func completeCatalogue() throws(SimulationViolation) {
        var rounds = 0
        while catalogue != .there {
            rounds += 1
            try check(rounds < 1_000, 8, "the topic is not made anew: \(catalogue)")
            if case .free = catalogue { try makeTopic() }
            if try !work(20) { try pass(milliseconds: 200) }
            try carry()
        }
    }
}

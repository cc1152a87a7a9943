// The arithmetic of the disk's budget.

import Testing

@testable import SluiceLog

@Suite struct DiskLedgerTests {
    private func ledger(_ limit: Int64) -> DiskLedger {
        DiskLedger(limit: limit, floor: 100, manifestLimit: 0)
    }

    private static let budgets: [(Int64, Int64)] = [
        (1_099_511_627_776, 16_777_216), (134_217_728, 8_388_608), (8_388_608, 1_048_576),
        (1_048_576, 524_288), (0, 0), (.max, 16_777_216),
    ]

    @Test(arguments: budgets)
    func `the exempt reserve follows the budget`(limit: Int64, reserve: Int64) {
        let ledger = DiskLedger(limit: limit, floor: 1 << 20, manifestLimit: 4096)
        #expect(ledger.exemptReserve == reserve)
    }

    @Test func `the exempt reserve lets the manifest be replaced`() {
        let ledger = DiskLedger(limit: 1 << 30, floor: 1 << 20, manifestLimit: 20 << 20)
        #expect(ledger.exemptReserve / 2 >= 2 * 20 << 20)
    }

    @Test(arguments: [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)] as [(Int64, Int64)])
    func `files are counted in blocks`(bytes: Int64, blocks: Int64) {
        #expect(DiskLedger.blocks(bytes) == blocks)
        #expect(DiskLedger.growth(0, adding: bytes) == blocks)
        #expect(DiskLedger.growth(4096, adding: bytes) == blocks)
    }

    @Test func `appends stop before what is exempt, and that before the manifest`() {
        var ledger = ledger(1 << 20)
        let reserve = ledger.exemptReserve
        ledger.add((1 << 20) - reserve - 10)
        #expect(ledger.fits(10, .append))
        #expect(!ledger.fits(11, .append))
        #expect(ledger.fits(10 + reserve / 4, .accepted))
        #expect(!ledger.fits(11 + reserve / 4, .accepted))
        #expect(ledger.fits(10 + reserve / 2, .exempt))
        #expect(!ledger.fits(11 + reserve / 2, .exempt))
        ledger.reserve(10)
        #expect(!ledger.fits(1, .append))
        ledger.release(10)
        #expect(ledger.fits(10, .append))
    }

    @Test func `without a budget everything fits`() {
        var ledger = ledger(.max)
        ledger.add(1 << 60)
        #expect(ledger.fits(1 << 60, .append))
    }

    @Test func `a job that did less gives the rest back`() {
        var ledger = ledger(1 << 20)
        ledger.claim(8192)
        #expect(ledger.used == 8192 && ledger.claimed == 8192)
        ledger.settle(8192, kept: 4096)
        #expect(ledger.used == 4096 && ledger.claimed == 0)
    }

    @Test func `a measurement corrects what nothing explains`() {
        var ledger = ledger(1 << 20)
        ledger.add(100_000)
        ledger.correct(90_000, since: ledger.mark)
        #expect(ledger.used == 90_000)
        ledger.correct(95_000, since: ledger.mark)
        #expect(ledger.used == 95_000)
    }

    @Test func `what changed while files were measured may have been seen or not`() {
        var ledger = ledger(1 << 20)
        ledger.add(100_000)
        ledger.claim(4096)
        let mark = ledger.mark
        ledger.settle(4096, kept: 4096)
        ledger.add(8192)
        ledger.remove(20_000)
        let used = ledger.used
        for measured in [80_000, 100_000, 104_096, 112_288] as [Int64] {
            ledger.correct(measured, since: mark)
            #expect(ledger.used == used)
        }
        ledger.correct(79_999, since: mark)
        #expect(ledger.used == used - 1)
    }
}

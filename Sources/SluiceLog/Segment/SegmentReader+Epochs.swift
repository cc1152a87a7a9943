// Where leader epochs begin and end within a segment: by walking the headers of its batches.
//
// Asked for after an unclean opening alone, by clients that want to know whether something was cut. Nothing
// is kept for it: the batches say it themselves.

extension SegmentReader {
    /// The epoch of the first batch; nil when the view is empty. Throws `corrupt`, `io`.
    package func firstEpoch(in view: SegmentView) throws(LogError) -> Int32? {
        var walk = SegmentWalk(view, files)
        defer { walk.close() }
        return try walk.first(from: 0) { _ in true }?.header.partitionLeaderEpoch
    }

    /// The greatest epoch of the view that is not above `epoch`, and the offset behind its last batch.
    ///
    /// - Complexity: O(n) in the number of batches.
    package func end(
        ofEpoch epoch: Int32, in view: SegmentView
    ) throws(LogError) -> (epoch: Int32, endOffset: Int64) {
        var walk = SegmentWalk(view, files)
        defer { walk.close() }
        var found = (epoch: epoch, endOffset: view.baseOffset)
        _ = try walk.first(from: 0) { header in
            if header.partitionLeaderEpoch > epoch { return true }
            found = (header.partitionLeaderEpoch, header.nextOffset)
            return false
        }
        return found
    }
}

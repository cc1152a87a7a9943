// Many syncs, one after another: what a file system does that has nothing faster.

extension FileSystem {
    public func syncAll(_ files: [FileID]) -> [IOError?] {
        files.map { file in
            do throws(IOError) { try sync(file) } catch { return error }
            return nil
        }
    }

    public func syncAllDirectories(_ paths: [String]) -> [IOError?] {
        paths.map { path in
            do throws(IOError) { try syncDirectory(path) } catch { return error }
            return nil
        }
    }
}

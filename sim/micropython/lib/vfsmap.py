"""The flash: Emscripten's files with the error numbers of a board, and nothing above their folder."""

import os
import sys
import vfs

# Emscripten's number -> errno of a board.
_ERRNO = {44: 2, 20: 17, 31: 21, 54: 20, 28: 22, 8: 9, 55: 39, 2: 13, 63: 1}


class Flash:
    """One folder as a file system."""

    def __init__(self, root):
        self._vfs = vfs.VfsPosix(root)
        self._vfs.mount(False, False)
        self._vfs.chdir("/")

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def _call(self, function, *args):
        try:
            return function(*args)
        except OSError as err:
            raise OSError(_ERRNO.get(err.errno, err.errno))

    def open(self, path, mode):
        return self._call(self._vfs.open, path, mode)

    def stat(self, path):
        return self._call(self._vfs.stat, path)

    def statvfs(self, path):
        return (4096, 4096, 512, 400, 400, 0, 0, 0, 0, 255)

    def ilistdir(self, path):
        return self._call(self._vfs.ilistdir, path)

    def mkdir(self, path):
        return self._call(self._vfs.mkdir, path)

    def rmdir(self, path):
        return self._call(self._vfs.rmdir, path)

    def remove(self, path):
        return self._call(self._vfs.remove, path)

    def rename(self, old, new):
        return self._call(self._vfs.rename, old, new)

    def chdir(self, path):
        return self._call(self._vfs.chdir, path)

    def getcwd(self):
        return self._vfs.getcwd()


vfs.umount("/")
vfs.mount(Flash("/flash"), "/")
# What a board has built in is loaded once, and then nothing of it lies in its files.
vfs.mount(Flash("/rom"), "/rom")
sys.path.insert(0, "/rom")
import machine
import select

sys.path.pop(0)
vfs.umount("/rom")
# Unmounting forgets where we were.
os.chdir("/")

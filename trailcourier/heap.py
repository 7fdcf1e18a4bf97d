"""The C library's memory: what is freed goes back, instead of lying in wait in every thread's own.

Left alone, glibc gives each thread an arena, and keeps blocks of up to 32 MiB in them once one was
freed (mallopt(3), M_ARENA_MAX and M_MMAP_THRESHOLD): 16 threads that carried files of 15 MiB held
490 MB so, and 210 MB without.  What is kept at the end of an arena is little beside that, and to
give each MiB of it back and ask for it again cost a sixth of the work on files of 2,000 events.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h
ARENAS = 2
LARGE = 1 << 20  # bytes; what is larger is mapped, and unmapped when it is freed
KEPT = 32 << 20  # bytes at the end of an arena, free for what comes next


def tighten() -> bool:
    """Do so for this process, before it has threads; False where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    options = {M_ARENA_MAX: ARENAS, M_MMAP_THRESHOLD: LARGE, M_TRIM_THRESHOLD: KEPT}
    return all(mallopt(option, value) for option, value in options.items())

import ctypes

from trailcourier import heap


def test_the_c_library_takes_the_options_if_it_has_them():
    assert heap.tighten() is hasattr(ctypes.CDLL(None), "mallopt")

import ctypes

from trailcourier.worker import malloc


def test_the_options_are_set_where_the_c_library_has_them():
    assert malloc.limit_arenas() is hasattr(ctypes.CDLL(None), "mallopt")

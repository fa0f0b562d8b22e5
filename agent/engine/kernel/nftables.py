"""nftables by libnftables: 0.05 ms a change, where ``nft -f -`` takes 1.8.

A context speaks for the network namespace of the thread that made it. Every call is one transaction: all of the text
takes effect, or nothing. Callers write to tables of their own only (``networks/firewall.py``).

libnftables waits by select(2) and so ends the whole process when its socket's number is 1024 or more. Contexts that
live long are therefore made when the engine starts; one for a single change is made here only while numbers are low.

Source: libnftables(3).
"""

import ctypes
import functools
import os
import subprocess
import threading

from agent.engine.errors import System

LIBRARY = "libnftables.so.1"
HIGHEST = 900
"""Descriptor number below which a new context is safe; the rest up to 1023 is room for other threads meanwhile."""


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBRARY)
    library.nft_ctx_new.argtypes, library.nft_ctx_new.restype = [ctypes.c_uint32], ctypes.c_void_p
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes, getattr(library, name).restype = [ctypes.c_void_p], ctypes.c_char_p
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


class Nft:
    """One libnftables context. The lock is for callers that share it between threads of one namespace."""

    def __init__(self) -> None:
        """Open the context for the calling thread's network namespace.

        Raises:
            System: the library is missing, or the kernel has no nftables.
        """
        try:
            self._library = _library()
        except OSError as error:
            raise System(f"{LIBRARY} cannot be loaded: {error}; install libnftables1") from error
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise System("libnftables gave no context")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)
        self._lock = threading.Lock()

    def run(self, commands: str) -> str:
        """Apply commands as one transaction; answers what ``list`` would print.

        Raises:
            System: refused; the message is nft's own. Nothing was changed.
        """
        with self._lock:
            code = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
            output = self._library.nft_ctx_get_output_buffer(self._context) or b""
            errors = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if code:
            raise System(f"nftables: {errors.decode(errors='replace').strip()}")
        return bytes(output).decode(errors="replace")

    def close(self) -> None:
        """Free the context; it must not be used again."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None


def run_once(commands: str, *, highest: int = HIGHEST) -> None:
    """Apply commands in the namespace that the calling thread is in.

    Raises:
        System: refused, and nothing was changed.
    """
    probe = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.close(probe)
    if probe < highest:
        once = Nft()
        try:
            once.run(commands)
        finally:
            once.close()
        return
    done = subprocess.run(["nft", "-f", "-"], input=commands, capture_output=True, text=True, check=False)
    if done.returncode:
        raise System(f"nftables: {done.stderr.strip()}")

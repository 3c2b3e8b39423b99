"""The intake: the journal's end of the feed. Turns packets into batches, and SIGTERM into what every wait ends by."""

import select
import signal
import socket
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway.journal.frame import MAX_FRAME, unpacked

LULL = 0.05  # seconds in which entries gather: to be woken for each costs more than to take it
LONGEST_LULL = 4 * LULL  # where few come: what comes at once then fits into the queues of the workers
FEW = 4  # entries in a lull: the next one is longer then
MANY = 32  # entries in a lull, a third of what the kernel holds as it comes: the next one is shorter then
LAST_BREATH = 3.0  # seconds that the process has once it is told to end


class Ending:
    """Whether the process is to end, and how much time it has then."""

    def __init__(self, *, last_breath: float = LAST_BREATH) -> None:
        """Listens to SIGTERM from now on. In the main thread."""
        self._last_breath = last_breath
        self._deadline = 0.0  # monotonic seconds; 0 where nobody has said so
        self.woken, self._waking = socket.socketpair()
        for sock in (self.woken, self._waking):
            sock.settimeout(0)
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda number, frame: self.begin())

    @property
    def is_near(self) -> bool:
        return bool(self._deadline)

    def begin(self) -> None:
        if not self._deadline:
            self._deadline = time.monotonic() + self._last_breath

    def pause(self, seconds: float) -> bool:
        """Wait, but not beyond the end. False where there is no time left after it."""
        if not self.is_near:
            select.select([self.woken], [], [], seconds)
            return True
        time.sleep(max(0.0, min(seconds, self._deadline - time.monotonic())))
        return time.monotonic() < self._deadline


class Batches(Struct, frozen=True):
    """When a batch is full."""

    size: int
    seconds: float  # after which it is written though it is not


class Intake:
    """The journal's end of the feed."""

    def __init__(
        self, sock: socket.socket, batches: Batches, ending: Ending, *, on_taken: Callable[[int], None]
    ) -> None:
        """`on_taken` is told of each frame: what is then not written is lost."""
        self._socket = sock
        self._batches = batches
        self._ending = ending
        self._on_taken = on_taken

    def gather(self, idle: float) -> list[bytes]:
        """The next frames: as many as make a batch, with what came in the last packet, or those that came within its
        time; none where nothing came for `idle` seconds. The end of the feed, where all workers and the supervisor are
        gone, is an end as well."""
        frames: list[bytes] = []
        deadline = time.monotonic() + self._batches.seconds
        before = quiet = 0  # frames that were here before the last lull; looks in a row at which few had come
        while len(frames) < self._batches.size and not self._ending.is_near:
            if come := self._next():
                frames += come
            elif not frames:
                if not self._comes(idle):
                    break
                deadline = time.monotonic() + self._batches.seconds
            elif (left := deadline - time.monotonic()) <= 0:
                break
            else:
                came, before = len(frames) - before, len(frames)
                quiet = quiet + 1 if came < FEW else 0
                self._ending.pause(min(_lull(came, quiet), left))
        return frames

    def _next(self) -> Sequence[bytes]:
        """The frames of a packet, if one is there."""
        try:
            packet = self._socket.recv(2 * MAX_FRAME)
        except BlockingIOError:
            return ()
        if not packet:
            self._ending.begin()
            return ()
        frames = unpacked(packet)
        self._on_taken(len(frames))
        return frames

    def _comes(self, seconds: float) -> bool:
        """Wait for something to come."""
        return bool(select.select([self._socket, self._ending.woken], [], [], seconds)[0])


def _lull(came: int, quiet: int) -> float:
    """Seconds until the next look, where so many came before this one, and few before each of the last `quiet`."""
    return min(LULL * quiet, LONGEST_LULL) if quiet else LULL / (1 + came // MANY)

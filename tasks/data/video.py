"""Frames of video clips to uint8 arrays, decoded from the first frame on so that numbers are exact.

Shapes: N frames, H x W pixels, C channels (1 grey, 3 RGB).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vtbench.tasks.data.images import CHUNK, Facts, content_of, pixels
from vtbench.tasks.data.problems import SPECIAL, Problem, is_missing, is_special, shown
from vtbench.tasks.errors import DataError


@dataclass(frozen=True)
class Clip:
    """A clip that was decoded from end to end.

    frames: how many it has; size: width, height; content: equal for files of the same bytes.
    """

    frames: int
    size: tuple[int, int]
    grey: bool
    content: bytes


@dataclass(frozen=True)
class Frame:
    """One frame to be read: its clip, its number from 0 and the manifest and row that name it."""

    path: Path
    number: int
    manifest: str = ""
    row: int | None = None

    def problem(self, reason: str, fix: str) -> Problem:
        """What is wrong with its clip, or with its number."""
        where = {"file": shown(self.path), "manifest": self.manifest}
        return Problem(**where, row=self.row, reason=reason, fix=fix)


class ClipFrames:
    """Pictures that are frames of clips, those of one clip beside each other; see `Pictures`.

    clips: what `look_at_clip` found for each path.
    """

    def __init__(self, frames: Sequence[Frame], clips: Mapping[Path, Clip]) -> None:
        self.frames = frames
        self._clips = clips

    def __len__(self) -> int:
        return len(self.frames)

    def problem(self, index: int, reason: str, fix: str) -> Problem:
        return self.frames[index].problem(reason, fix)

    def look(self) -> Iterator[Facts | Problem]:
        for frame in self.frames:
            clip = self._clips[frame.path]
            if frame.number >= clip.frames:
                yield frame.problem(
                    f"has {clip.frames} frames, so no frame {frame.number}: they are counted "
                    "from 0",
                    fix="correct the number",
                )
            else:
                yield Facts(clip.size, clip.grey, content_of(clip.content, frame.number))

    def chunks(
        self, kept: Sequence[int], *, grey: bool, size: int | None = None
    ) -> Iterator[np.ndarray]:
        """As in `Pictures`; raises DataError for a clip that has been damaged since `look`."""
        wanted = [self.frames[index] for index in kept]
        waiting: list[np.ndarray] = []
        for path, frames in groupby(wanted, key=lambda frame: frame.path):
            for picture in _pictures(path, {frame.number for frame in frames}):
                waiting.append(pixels(picture, grey=grey, size=size))
                if len(waiting) == CHUNK:
                    yield np.stack(waiting)
                    waiting = []
        if waiting:
            yield np.stack(waiting)


def look_at_clip(path: Path) -> Clip | Problem:
    """Decode a clip from end to end; what it is, or why it cannot be used."""
    av = _av()
    frames, first = 0, None
    try:
        if is_special(path):
            raise _DamageError(SPECIAL)
        for frame in _decoded(path):
            first = first or _looks(frame)
            if _looks(frame) != first:
                raise _DamageError(f"changes its size at frame {frames}")
            frames += 1
        if first is None:
            raise _DamageError("has no frames")
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        reason, fix = is_missing(path)
        return Problem(file=shown(path), reason=reason, fix=fix)
    except (av.error.FFmpegError, OSError, _DamageError) as error:
        return Problem(file=shown(path), reason=_reason(error, frames))
    size, grey = first
    return Clip(frames, size, grey, content)


def evenly(frames: int, count: int) -> list[int]:
    """The middle frames of `count` equal parts of a clip; every frame of a shorter one.

    >>> evenly(10, 2), evenly(3, 8)
    ([2, 7], [0, 1, 2])
    """
    if frames <= count:
        return list(range(frames))
    return [(2 * part + 1) * frames // (2 * count) for part in range(count)]


def every(frames: int, step: int) -> list[int]:
    """Frames 0, step, 2 step, ...

    >>> every(10, 4)
    [0, 4, 8]
    """
    return list(range(0, frames, step))


def chooser(frames: int | None, step: int | None) -> Callable[[int], list[int]]:
    """From the number of frames of a clip to the frames to take.

    Raises DataError unless exactly one of both is given and at least 1.
    """
    given = frames if step is None else step
    if (frames is None) == (step is None) or given is None:
        raise DataError(
            "Which frames of each clip to take is not said once; give --frames 8 for eight evenly "
            "spaced ones, or --every 10 for each tenth, or a column with frame numbers."
        )
    if given < 1:
        raise DataError(f"--frames or --every is {given}; give a number of at least 1.")
    return lambda total: evenly(total, given) if step is None else every(total, given)


class _DamageError(Exception):
    """What a decoder does not complain about."""


def require_av() -> None:
    """Raise DataError when the package that decodes video is not installed."""
    _av()


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise DataError(
            "Video needs the package `av`, which is not installed: pip install 'vtbench[video]'."
        ) from error
    av.logging.set_level(None)  # what goes wrong is in the exceptions
    return av


def _pictures(path: Path, numbers: set[int]) -> Iterator[Image.Image]:
    """The frames with these numbers, in their order."""
    left = set(numbers)
    av = _av()
    try:
        for number, frame in enumerate(_decoded(path, stop_after=max(numbers))):
            if number in left:
                left.remove(number)
                yield _picture(frame)
    except (av.error.FFmpegError, OSError, _DamageError) as error:
        reason = _reason(error, len(numbers) - len(left))
        raise DataError(f"{shown(path)} {reason}; it has changed during the import.") from error
    if left:
        raise DataError(f"{shown(path)} has lost frame {min(left)} during the import; start again.")


def _decoded(path: Path, *, stop_after: int | None = None) -> Iterator[Any]:
    """All frames from the first on; complains about a clip that ends before its header says."""
    av = _av()
    with path.open("rb") as file:
        if path.suffix.lower() == ".gif":
            _check_gif(file)
        with av.open(file, mode="r") as container:
            streams = container.streams.video
            # FFmpeg's decoder would crash the process for a stream without parameters
            if not streams or streams[0].codec_context is None:
                raise _DamageError("has no readable video stream")
            if container.format.name == "image2" or container.format.name.endswith("_pipe"):
                raise _DamageError("is a picture, not a clip (`bench data import folder` takes it)")
            stream = streams[0]
            stream.codec_context.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"err_detect": "explode"}  # rather than patch over
            yield from _frames(container, stream, stop_after)


def _frames(container: Any, stream: Any, stop_after: int | None) -> Iterator[Any]:
    frames, packets, hidden, end, length = 0, 0, 0, 0.0, 0.0
    for packet in container.demux(stream):
        if packet.size or packet.dts is not None:  # else it only flushes the decoder
            packets += 1
            hidden += packet.is_discard
            if packet.pts is not None and packet.duration:
                length = float(packet.duration * packet.time_base)
                end = max(end, float(packet.pts * packet.time_base) + length)
        for frame in packet.decode():
            if frame.is_corrupt:
                raise _DamageError(f"is damaged at frame {frames}")
            yield frame
            frames += 1
            if stop_after is not None and frames > stop_after:
                return
    if packets < stream.frames:
        raise _DamageError(f"is cut off: it has {packets} of {stream.frames} frames")
    # in MP4 and MOV, unlike in others, each packet is a frame, or hidden by an edit list
    if "mp4" in container.format.name and frames < packets - hidden:
        raise _DamageError(f"is damaged: {frames} of {packets - hidden} frames can be decoded")
    _check_duration(container, stream, end=end, length=length)


def _check_duration(container: Any, stream: Any, *, end: float, length: float) -> None:
    """Complain when a file that does not count its frames lasts longer than they do.

    end: of the last frame; length: of a frame, both in seconds.
    """
    promised = (container.duration or 0) / 1e6  # seconds
    counts = bool(stream.frames) or len(container.streams) > 1  # sound may last longer
    start = min((stream.start_time or 0) * float(stream.time_base), 0.0)
    if not counts and length and promised - (end - start) > 0.75 * length:
        raise _DamageError(f"is cut off: it ends at {end:.2f} s of {promised:.2f} s")


def _check_gif(file: Any) -> None:
    file.seek(-2, 2)
    if file.read(2) != b"\x00;":  # GIF89a: the end of the last block and the trailer
        raise _DamageError("is cut off, or not a GIF")
    file.seek(0)


def _looks(frame: Any) -> tuple[tuple[int, int], bool]:
    return (frame.width, frame.height), frame.format.name.startswith(("gray", "mono"))


def _picture(frame: Any) -> Image.Image:
    grey = _looks(frame)[1]
    return Image.fromarray(frame.to_ndarray(format="gray" if grey else "rgb24"))


def _reason(error: Exception, frames: int) -> str:
    match error:
        case FileNotFoundError():
            return "is missing"
        case _DamageError():
            return str(error)
        case OSError(strerror=str(text)) if not frames:
            return f"cannot be read as a video ({text.split(':')[0].lower()})"
        case _:
            return f"is damaged after frame {frames - 1}" if frames else "is not a readable video"

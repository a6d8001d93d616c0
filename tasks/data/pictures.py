"""Where a command may put the pictures that it draws: they never replace what is not its own."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vtbench.tasks.data.schema import DECLARATION_FILE
from vtbench.tasks.data.staging import writing
from vtbench.tasks.errors import DataError

_OURS = {"Software": "vtbench"}  # in the PNG, by which an earlier picture is known


def picture_file(out: Path | None, default: str) -> Path:
    """The file that `--out` means: itself if it ends in .png, else a file of that name in it.

    Raises DataError for the ending of another kind of picture.

    >>> picture_file(Path("look.PNG"), "a.png").name, picture_file(Path("look"), "a.png").name
    ('look.PNG', 'a.png')
    """
    if out is None:
        return Path(default)
    ending = out.suffix.lower()
    if ending == ".png":
        return out
    if (ending in Image.registered_extensions() or ending == ".svg") and not out.is_dir():
        raise DataError(
            f"--out {out}: pictures are PNG files; end the name in .png, or give a folder."
        )
    return out / default


def check_picture(path: Path) -> None:
    """Raise DataError where a picture must not be written; nothing is written."""
    pack = enclosing_pack(path)
    if pack is not None:
        raise DataError(f"{path}: lies inside the pack {pack}; choose another --out.")
    there = next(place for place in path.absolute().parents if place.exists())
    if not there.is_dir():
        raise DataError(f"{path}: {there.name} is a file and no folder; choose another --out.")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; choose another --out.")
    if path.exists() and not _is_ours(path):
        raise DataError(
            f"{path}: holds something else than an earlier picture of vtbench; choose another "
            "--out, or move this one away."
        )


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG, in a folder that is made if it is missing.

    Raises DataError where `check_picture` does, and where nothing can be written.
    """
    check_picture(path)
    facts = PngInfo()
    for key, text in _OURS.items():
        facts.add_text(key, text)
    make_folder_of(path)
    with writing(path):
        picture.save(path, format="png", pnginfo=facts)


def make_folder_of(path: Path) -> None:
    """Make the folder of a file that is to be written; DataError where that cannot be."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def enclosing_pack(path: Path) -> Path | None:
    """The pack in which a file lies, or would lie."""
    folders = path.resolve().parents
    return next((folder for folder in folders if (folder / DECLARATION_FILE).exists()), None)


def _is_ours(path: Path) -> bool:
    """Whether a file is a picture that was written here, or empty."""
    if not path.is_file():
        return False
    try:
        if path.stat().st_size == 0:
            return True
        with Image.open(path, formats=["PNG"]) as image:
            return all(image.info.get(key) == text for key, text in _OURS.items())
    except (OSError, ValueError, SyntaxError):
        return False

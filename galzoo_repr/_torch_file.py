"""Files that torch.save wrote, read without torch.load: tensors and plain values come out, and nothing can run."""

import pickle
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import torch

__all__ = ["read_torch_file"]

_LARGEST_PICKLE = 1 << 23
_MOST_TENSORS = 50_000
_TYPES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
# What builds plain values. Left out is all that calls a class, sets attributes, or allocates as it is told.
_ALLOWED = (
    pickle.PROTO, pickle.STOP, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE,
    pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT, pickle.BINUNICODE,
    pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
    pickle.SETITEM, pickle.SETITEMS, pickle.APPEND, pickle.APPENDS,
    pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET,
    pickle.GLOBAL, pickle.REDUCE, pickle.BINPERSID,
)  # fmt: skip


def read_torch_file(path: Path) -> object:
    """
    Read what ``torch.save`` wrote since torch 1.6: a zip archive of one pickle and the numbers of its tensors.

    The pickle is followed by an interpreter that knows dictionaries, lists, tuples, numbers, text and tensors, and
    neither calls nor imports anything else; so this holds whatever the version of torch. Everything together is at
    most as large as the file. A `ValueError` for anything else, such as a TorchScript program, a whole network, or a
    file of an older torch.
    """
    try:
        if not path.is_file():
            raise ValueError("it is no file")
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path.stat().st_size)
    except (
        zipfile.BadZipFile, pickle.UnpicklingError, ValueError, KeyError, IndexError, TypeError, AttributeError,
        EOFError, OverflowError, RecursionError, RuntimeError, NotImplementedError,
    ) as error:  # fmt: skip
        raise ValueError(
            f"{path} is damaged or holds more than tensors; it was not read, for a pickle can run code ({error}): "
            "ask its author for a safetensors file"
        ) from error


def _read(archive: zipfile.ZipFile, size: int) -> object:
    entries = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
    if "constants.pkl" in entries or any(name.startswith("code/") for name in entries):
        raise ValueError("it is a TorchScript program")
    if "data.pkl" not in entries:
        raise ValueError("it is no file of torch.save")
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values())
    if packed or sum(entry.file_size for entry in archive.infolist()) > size:
        raise ValueError("it unpacks to more than its size")
    if entries["data.pkl"].file_size > _LARGEST_PICKLE:
        raise ValueError(f"its pickle is larger than {_LARGEST_PICKLE >> 20} MiB")
    if "byteorder" in entries and archive.read(entries["byteorder"]).strip() != b"little":
        raise ValueError("it is of a machine of the other byte order")
    return _Interpreter(archive, entries).load()


class _Interpreter(pickle._Unpickler):
    """The interpreter of Python's own library, in Python, with few of its words."""

    dispatch: ClassVar = {code[0]: pickle._Unpickler.dispatch[code[0]] for code in _ALLOWED}

    def __init__(self, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> None:
        super().__init__(BytesIO(archive.read(entries["data.pkl"])))
        self._archive, self._entries = archive, entries
        self._storages: dict[str, torch.Tensor] = {}
        self._left = _MOST_TENSORS

    def find_class(self, module: str, name: str) -> object:
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        known = {
            ("collections", "OrderedDict"): dict,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): self._parameter,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:200])
        return known[module, name]

    def _build(self) -> None:
        """Pass over attributes: of dictionaries of weights, which versions their layers have."""
        self.stack.pop()

    def _reduce(self) -> None:
        arguments, call = self.stack.pop(), self.stack.pop()
        if call is dict and arguments == ():
            self.stack.append({})
        elif call in (self._tensor, self._parameter):
            self.stack.append(call(*arguments))
        else:
            raise pickle.UnpicklingError("it calls what makes no tensor")

    dispatch[pickle.BUILD[0]] = _build
    dispatch[pickle.REDUCE[0]] = _reduce

    def persistent_load(self, about: tuple) -> "torch.Tensor":
        """All numbers of one storage, read once however many tensors look at it."""
        import torch

        kind, dtype, key, _, length = about
        if kind != "storage" or dtype not in _TYPES.values() or not isinstance(key, str):
            raise pickle.UnpicklingError("it names numbers that are none")
        name = f"data/{key}"
        if name not in self._storages:
            content = bytearray(self._archive.read(self._entries[name]))
            kind = getattr(torch, dtype)
            self._storages[name] = (
                torch.frombuffer(content, dtype=kind) if content else torch.empty(0, dtype=kind)
            )
        numbers = self._storages[name]
        if numbers.dtype != getattr(torch, dtype) or len(numbers) != length:
            raise pickle.UnpicklingError("a tensor has other numbers than it says")
        return numbers

    def _tensor(
        self, numbers: "torch.Tensor", start: int, shape: tuple, strides: tuple, *_: object
    ) -> "torch.Tensor":
        self._left -= 1
        whole = all(type(one) is int and one >= 0 for one in (start, *shape, *strides))
        if self._left < 0 or not whole or len(shape) != len(strides) or len(shape) > 16:
            raise pickle.UnpicklingError("a tensor has a shape that none has")
        count, last = 1, start
        for extent, stride in zip(shape, strides, strict=True):
            count, last = count * extent, last + (extent - 1) * stride
        if count and (last >= len(numbers) or count > len(numbers)):
            raise pickle.UnpicklingError("a tensor reaches beyond its numbers")
        return numbers.as_strided(shape, strides, start) if count else numbers.new_empty(shape)

    def _parameter(self, tensor: "torch.Tensor", *_: object) -> "torch.Tensor":
        return tensor

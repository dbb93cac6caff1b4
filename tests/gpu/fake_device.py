"""A device without hardware, to test where tensors are: their data are in the memory of the host.

As on a GPU, an operator on tensors of both raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import adam, optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch_geometric.loader import prefetch

from gatsparse.train import fitting

# A type that torch knows in every build. Tensors of this device have data, other than torch's own.
DEVICE = torch.device("meta")
_CPU = torch.device("cpu")

#: Operators whose result is on the host, or has the size of a value: the host waits for them.
_READS = (
    *("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2"),
    *("unique_dim", "bincount"),
)


class OnDevice(Tensor):
    """A tensor of the device, whose data are those of :attr:`host`."""

    host: Tensor
    is_meta = False  # load_state_dict writes nothing into tensors without data

    @staticmethod
    def __new__(cls, host: Tensor) -> OnDevice:
        out: Any = Tensor._make_wrapper_subclass(
            cls,
            host.shape,
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            device=DEVICE,
        )
        out.host = host
        return out

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} outside of FakeDevice")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.host.__reduce_ex__(protocol)

    def tolist(self) -> Any:
        return self.host.tolist()

    def record_stream(self, stream: Any) -> None:
        stream.log.append("record_stream")


class _Numbers(TorchFunctionMode):
    """Moves numbers of the host to the device, which torch does not do for its type."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.new_tensor:
            kwargs.setdefault("device", args[0].device)
            func, args = torch.tensor, args[1:]
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == DEVICE:
            return func(*args, **kwargs | {"device": _CPU}).to(DEVICE)
        return func(*args, **kwargs)


class FakeDevice(TorchDispatchMode):
    """Runs operators on tensors of the device; within :meth:`recording` none may read a value."""

    def __init__(self) -> None:
        super().__init__()
        self._recording = False
        self._numbers = _Numbers()

    def __enter__(self) -> Any:
        self._numbers.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._numbers.__exit__(*error)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Context in which values are neither read nor moved between the host and the device."""
        self._recording = True
        yield
        self._recording = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func.name().removeprefix("aten::").partition(".")[0]
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        on_device = any(isinstance(t, OnDevice) for t in tensors)
        on_host = any(not isinstance(t, OnDevice) and t.dim() > 0 for t in tensors)
        target = kwargs.pop("device", None)
        kwargs.pop("pin_memory", None)
        to_device = on_device if target is None else torch.device(target) == DEVICE
        if on_device and on_host and name != "copy_":
            raise AssertionError(f"{func}: got tensors of the device and of the host")
        moves = (name == "copy_" and on_host) or (name == "_to_copy" and to_device != on_device)
        if self._recording and on_device | to_device and (moves or name in _READS):
            raise AssertionError(f"{func} reads or moves values while a step is recorded")
        given = {id(t.host): t for t in tensors if isinstance(t, OnDevice)}
        args, kwargs = tree_map(lambda t: t.host if isinstance(t, OnDevice) else t, (args, kwargs))
        if target is not None:
            kwargs["device"] = _CPU if to_device else target
        out = func(*args, **kwargs)

        def wrapped(value: Any) -> Any:
            if not isinstance(value, Tensor) or (not to_device and id(value) not in given):
                return value
            return given[id(value)] if id(value) in given else OnDevice(value)

        return tree_map(wrapped, out)


def install(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lets trainings with ``device="cuda"`` use :data:`DEVICE`; returns a log of transfers."""
    log: list[str] = []
    stream = SimpleNamespace(log=log, wait_stream=lambda _other: log.append("wait_stream"))
    of_torch = SimpleNamespace(
        Stream=lambda: stream, stream=lambda **_: nullcontext(), current_stream=lambda: stream
    )

    def helper(self: Any, device: torch.device) -> None:
        vars(self).update(
            device=device, is_gpu=True, module=of_torch, stream=None, stream_context=nullcontext
        )

    def pin_memory(tensor: Tensor) -> Tensor:
        assert not isinstance(tensor, OnDevice), "only memory of the host can be pinned"
        log.append("pin_memory")
        return tensor

    monkeypatch.setattr(prefetch.DeviceHelper, "__init__", helper)
    monkeypatch.setattr(Tensor, "pin_memory", pin_memory)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: stream)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda _device: torch.get_rng_state())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *_: log.append("set_rng_state"))
    monkeypatch.setattr(fitting, "find_device", lambda name: _CPU if name == "cpu" else DEVICE)
    monkeypatch.setattr(fitting, "current", lambda _device: nullcontext())
    for module in (adam, optimizer):  # Adam rejects the type of the device
        monkeypatch.setattr(module, "_device_dtype_check_for_fused", lambda *_: None)
    return log

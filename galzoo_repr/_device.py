"""Where to compute: the one way to name a device."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device"]


def choose_device(device: "str | torch.device | None" = None) -> "torch.device":
    """
    Device on which to compute: the one given, or the first CUDA GPU if there is one, or the CPU.

    Parameters
    ----------
    device : str or torch.device, optional
        Such as ``"cpu"``, ``"cuda:1"`` or ``"mps"``; ``"gpu"`` means cuda, and ``"auto"`` is the same as None.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch knows no such device, or it is not there.

    Examples
    --------
    >>> from galzoo_repr.encoders import choose_device
    >>> choose_device("cpu")
    device(type='cpu')
    """
    import torch

    asked = device.strip().lower() if isinstance(device, str) else device
    if asked in (None, "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if isinstance(asked, str) and asked.partition(":")[0] == "gpu":
        asked = "cuda" + asked.removeprefix("gpu")
    try:
        chosen = torch.device(asked)
        if chosen.type == "meta":
            raise ValueError("it holds no numbers")
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError, ValueError, ImportError) as error:
        gpus = torch.cuda.device_count()
        here = "cpu" + "".join(f", cuda:{number}" for number in range(gpus))
        raise ValueError(
            f"device {device!r} cannot be used: {str(error).splitlines()[0]}; there is {here}, or leave it out to "
            "have one chosen"
        ) from error
    return chosen

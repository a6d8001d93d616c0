"""The sections of a profile: every field that a file may set, its type and its bounds.

Every value here except those of `Hardware` and `Logging` is part of the identity of the results it
makes.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from vtbench.benchmark.spec import split_list
from vtbench.methods.backbones import DEFAULT, TIMM, check_name, cost, title
from vtbench.methods.errors import MethodError

#: A network of more parameters is refused; trained by Adam it would need 16 bytes for each, 32 GB
#: before any image. torchvision's ResNet-101 has 0.04 billion.
MOST_PARAMETERS = 2e9


def _is_number(annotation: Any) -> bool:
    """Whether a type, or what it holds, may be a number and no truth value."""
    inner = get_args(annotation)
    leaves = [leaf for part in inner for leaf in (get_args(part) or (part,))] or [annotation]
    return (int in leaves or float in leaves) and bool not in leaves


class Section(BaseModel):
    """Frozen; unknown keys, infinities, NaN and truth values for numbers are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    #: Fields that are left out of the identity at their default: they came after the first results.
    later: ClassVar[tuple[str, ...]] = ()

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, field: ValidationInfo) -> Any:
        """True would be taken for 1."""
        annotation = cls.model_fields[str(field.field_name)].annotation
        parts = value.values() if isinstance(value, dict) else value
        given = parts if isinstance(value, dict | list | tuple) else [value]
        if _is_number(annotation) and any(isinstance(part, bool) for part in given):
            raise ValueError("a number is wanted, and yes, no, on, off, true and false are none")
        return value

    def facts(self) -> dict[str, Any]:
        """The section as plain values, for hashing and for records."""
        fields = type(self).model_fields
        same = {name for name in self.later if getattr(self, name) == fields[name].default}
        return self.model_dump(exclude=same)


class Simulated(Section):
    """How a simulated pack is made; real data is not touched by it.

    counts: images per task. world_seed: another one simulates other presses.
    zoom: 1 shows the whole skin of a dome, 2 the central half, where contacts are.
    variety: how much light, haze, object colour and prints differ from image to image; 1 is a
    varied world, 0 one laboratory under constant light with white printed objects.
    copies: physical copies of the sensor in play, each with its own optics, pins and stains.
    held_out_copies: how many of them only the test images show.
    shear: factor on the unlabelled motion after touch (standard deviation 0.8 mm and 3 degrees);
    by default that of each set: 0 for force, 0.35 or 0.625 for the others.
    """

    counts: dict[str, int]
    world_seed: int = 0
    zoom: float = Field(1.0, ge=1, le=2)
    variety: float = Field(1.0, ge=0, le=1)
    copies: int = Field(1, ge=1, le=64)
    held_out_copies: int = Field(0, ge=0)
    shear: float | None = Field(None, ge=0, le=2)

    @property
    def world(self) -> dict[str, Any]:
        """The fields of `vtbench.tasks.simulator.scenes.World`."""
        return self.model_dump(exclude={"counts", "world_seed"})


class Data(Section):
    """The images: at which size they are kept (pixels; larger ones are resized on reading)."""

    stored_size: int = Field(ge=32)
    simulated: Simulated


class Encoder(Section):
    """The backbone. Width 64 with max-pool is torchvision's; `image_size` is what it is fed.

    name: resnet18, resnet34, resnet50, resnet101, or timm/NAME where timm is installed.
    width: at most as wide as `MOST_PARAMETERS` allows, and at least 8: torch 2.14.1 on a CPU with
    AVX2 writes past its buffers in the backward pass of channels-last convolutions of 4 to 6
    channels, and the process is aborted.
    precision: of training; `auto` is bf16 on a GPU that has it, else 32. Records keep which.
    """

    name: str = DEFAULT
    image_size: int = Field(ge=32)
    width: int = Field(ge=8)
    max_pool: bool = True
    precision: Literal["auto", "32", "bf16"] = "auto"

    later = ("name",)

    @field_validator("precision", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value)  # YAML reads 32 as a number

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            check_name(name)
        except MethodError as error:
            raise ValueError(str(error)) from None
        return name

    @field_validator("width")
    @classmethod
    def _can_be_trained(cls, width: int, others: ValidationInfo) -> int:
        name = others.data.get("name", DEFAULT)
        _, parameters = (0, 0) if name.startswith(TIMM) else cost(name)
        wanted = parameters * (width / 64) ** 2
        if wanted > MOST_PARAMETERS:
            widest = int(64 * (MOST_PARAMETERS / parameters) ** 0.5)
            raise ValueError(
                f"a {title(name)} of this width has {wanted / 1e9:,.0f} billion parameters, which "
                f"take {wanted * 16 / 1e9:,.0f} GB to train; at most {widest} is allowed"
            )
        return width

    @model_validator(mode="after")
    def _timm_has_its_own_shape(self) -> Self:
        if self.name.startswith(TIMM) and not (self.width == 64 and self.max_pool):
            raise ValueError(
                "timm's networks have widths and stems of their own; add --set encoder.width=64 "
                "--set encoder.max_pool=true"
            )
        return self


class Scale(Section):
    """The rules by which a small profile shrinks the methods' wide parts.

    head: factor of the hidden and output widths of projectors and predictors; none becomes wider
    than `widest`, and none narrower than `narrowest` that was not so before. codes: factor of
    prototypes and codes. queue: factor of the lengths of queues. ema: factor of the distance of an
    EMA rate from 1. waiting: factor of how long prototypes are frozen and queues wait; by default
    that of the warm-up, epochs / 100 in trainings of less. The defaults leave every method as its
    authors made it.
    """

    head: float = Field(1.0, gt=0, le=1)
    narrowest: int = Field(1, ge=1)
    widest: int | None = Field(None, ge=1)
    codes: float = Field(1.0, gt=0, le=1)
    queue: float = Field(1.0, gt=0, le=1)
    ema: float = Field(1.0, gt=0)
    waiting: float | None = Field(None, ge=0, le=1)


class Pretrain(Section):
    """Self-supervised training. `recipe` names one of each method's recipes.

    `optimizer: method` trains each method with its own optimiser and rate; `adamw` trains all
    of them with AdamW at `lr`, each by its own schedule (SARL: constant; most others: cosine), for
    runs too short for layer-wise scaled rates (LARS).
    `views: method` gives each method its own augmentation; `common` gives all of them two views
    of the SARL paper's pipeline.
    """

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    recipe: Literal["official", "sarl_authors"] = "official"
    optimizer: Literal["method", "adamw"] = "method"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    views: Literal["method", "common"] = "method"
    scale: Scale = Scale()


class Probe(Section):
    """One linear layer on frozen features; see `vtbench.tasks.probe.ProbeProtocol`."""

    batch_size: int = Field(256, ge=1)
    classification_epochs: int = Field(100, ge=1)
    classification_lr: float = Field(0.02, gt=0)
    classification_momentum: float = Field(0.9, ge=0, lt=1)
    classification_weight_decay: float = Field(0.0, ge=0)
    regression_epochs: int = Field(200, ge=1)
    regression_lr: float = Field(0.01, gt=0)
    regression_weight_decay: float = Field(0.01, ge=0)
    regression_loss: Literal["mse", "l1"] = "mse"
    standardize_features: bool = True
    pixel_size: int = Field(32, ge=8, description="side of the images of the raw-pixel control")


class Tuned(Section):
    """What the tuned probe chooses from on the validation images; see `vtbench.tasks.tuned`."""

    lr_factors: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    weight_decays: tuple[float, ...] = (0.0, 1e-4, 1e-2)


class Knn(Section):
    """Nearest neighbours among the training images; see `vtbench.tasks.knn`."""

    neighbours: tuple[int, ...] = (1, 5, 10, 20, 50, 200)
    temperature: float = Field(0.07, gt=0)
    standardize_features: bool = False


class Transfer(Section):
    """Fine-tuning of layer 4 on another sensor's data; see `vtbench.tasks.transfer`."""

    epochs: int = Field(60, ge=1)
    batch_size: int = Field(64, ge=2)
    lr: float = Field(3e-4, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    pool: Literal["avg", "avgmax"] = "avg"


class Supervised(Section):
    """The labelled reference: ResNet-18 from scratch on each task."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)


class Hardware(Section):
    """How the work is spread. The number of jobs changes nothing but the time it takes; another
    device, or number of threads or devices, rounds differently.

    compile: encoders of trainings by torch.compile, where it works. Compiling takes minutes for
    each training; on CPUs a step gained 6 % or nothing, GPUs are untried.
    devices: of each training, which share its batches. launch: where jobs run, and slurm: what each
    job on a cluster asks for; see `vtbench.benchmark.slurm`. images: of a training, all on its
    device or read from disk batch by batch; see `vtbench.benchmark.memory`.
    """

    jobs: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    threads: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    device: str = "auto"
    devices: int = Field(1, ge=1, le=1024)
    compile: bool = False
    images: Literal["auto", "resident", "streamed"] = "auto"
    launch: Literal["local", "slurm", "local-submitit"] = "local"
    slurm: dict[str, str | int] = {}


class Logging(Section):
    """Who beside the store is told how a training goes; it changes no result.

    loggers: of csv, tensorboard, mlflow and wandb; see `vtbench.benchmark.loggers`.
    """

    loggers: tuple[Literal["csv", "tensorboard", "mlflow", "wandb"], ...] = ()

    @field_validator("loggers", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        """`[csv, tensorboard]` as --set has it: a text."""
        if not isinstance(value, str):
            return value
        return list(dict.fromkeys(split_list([value.strip("[]")])))

"""The options of each command, for tools, notebooks, tests and remote workers alike.

Fields have the names of the command-line options: ``--work-dir`` is ``work_dir``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from mmpretrain_inception.deploy.table import Precision

# Height and width in pixels: 224, '224', '224x320' or (224, 320).
ImageSize = int | str | tuple[int, int]


@dataclass(frozen=True)
class ConfigOptions:
    """What every command takes.

    Attributes:
        config: Config file, or ``PACKAGE::PATH`` for one that a package ships. Empty where a command chooses it.
        cfg_options: Settings that replace those of the config, by dotted names such as ``optim_wrapper.optimizer.lr``.
            They win over what the other options imply.
    """

    config: str = ''
    cfg_options: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class DataOptions(ConfigOptions):
    """What ``tools/verify_dataset.py`` takes for each config.

    Attributes:
        data: The user's own images, for configs that declare ``image_folder``: a folder with ``train`` and ``val``, one
            folder of classes, or a CSV file.
        val_share: Share of the images for validation where ``data`` does not divide them. Defaults to 0.2.
    """

    data: str | None = None
    val_share: float | None = None


@dataclass(frozen=True)
class RunOptions(DataOptions):
    """What everything that builds a Runner takes.

    Attributes:
        work_dir: Folder for logs and checkpoints. Defaults to the config's, or ``work_dirs/<name of the config>``.
        launcher: What started the processes: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        no_pin_memory: Whether to leave the memory of batches unpinned.
        verbose: Whether to show mmengine's whole log on the terminal in place of a progress bar. The log file has it
            anyway.
        batch_size: Images in a batch of each process. This and the options below default to the config's.
        image_size: Size of the images in pixels, ``224`` or ``'224x320'`` (height x width). Crops get this size, and
            what images are resized to first follows in proportion.
        seed: Seed of the random numbers.
        workers: Processes that load images, for each process of the run. 0: the run loads them itself.
    """

    work_dir: str | None = None
    launcher: str = 'none'
    no_pin_memory: bool = False
    verbose: bool = False
    batch_size: int | None = None
    image_size: ImageSize | None = None
    seed: int | None = None
    workers: int | None = None


@dataclass(frozen=True)
class TrainOptions(RunOptions):
    """What ``tools/train.py`` takes.

    Attributes:
        weights: What training starts from: the name of published weights, a file, an address, or ``'none'``. With a
            name, images are prepared as its publisher does. Defaults to the config's ``load_from``.
        resume: ``'auto'`` for the newest checkpoint of the work directory, or a file. Defaults to None: a new run.
        amp: Whether to train in mixed precision. On a CPU that only emulates bfloat16 the run stays in float32, unless
            this is ``'force'``.
        no_validate: Whether to leave out validation.
        auto_scale_lr: Whether to scale the learning rate by the images per step over
            ``auto_scale_lr.base_batch_size``.
        no_persistent_workers: Whether to restart the loader's processes each epoch.
        epochs: Number of epochs. Schedules, warm-up and running averages follow. This and the options below default to
            the config's.
        lr: Learning rate.
        freeze: Last stage of the backbone to freeze, by number or name, or ``'all'``.
        save_every: Epochs between checkpoints; iterations in a run that counts those.
        patience: How many validations without a new best end the training. Defaults to None: it goes to its end.
        folds: Number of folds to train and validate in, one run each (k-fold cross-validation). Defaults to None: one
            run on the validation images.
        balance: Whether the loss of an image counts in inverse proportion to the images of its class.
    """

    weights: str | None = None
    resume: str | None = None
    amp: bool | Literal['force'] = False
    no_validate: bool = False
    auto_scale_lr: bool = False
    no_persistent_workers: bool = False
    epochs: int | None = None
    lr: float | None = None
    freeze: int | str | None = None
    save_every: int | None = None
    patience: int | None = None
    balance: bool = False
    folds: int | None = None


@dataclass(frozen=True)
class TestOptions(RunOptions):
    """What ``tools/test.py`` takes.

    Attributes:
        checkpoints: Files, addresses or names of published weights; the scores of several are averaged. Empty where
            the config declares an ensemble.
        amp: Whether to evaluate in mixed precision, as in :class:`TrainOptions`.
        fast: Whether to choose the fastest way to compute for this machine, in place of ``amp`` and ``deploy``.
        deploy: Whether to fold batch norm into the convolutions first.
        skip_broken: Whether to leave out and count images that cannot be decoded. Defaults to False: the first one
            ends the test.
        tta: Whether to average over test-time augmentation.
        show_dir: Folder for images with their predictions.
        show: Whether to show them in a window.
        interval: One in so many images is shown.
        wait_time: Seconds that a window stays.
        out: File for the results.
        out_item: What goes there: ``pred`` or ``metrics``. Defaults to predictions.
    """

    # Its name would make pytest collect it.
    __test__: ClassVar[bool] = False

    checkpoints: tuple[str, ...] = field(default=())
    amp: bool | Literal['force'] = False
    fast: bool = False
    deploy: bool = False
    skip_broken: bool = False
    tta: bool = False
    show_dir: str | None = None
    show: bool = False
    interval: int = 1
    wait_time: float = 2
    out: str | None = None
    out_item: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExportOptions(DataOptions):
    """What ``tools/export.py`` takes.

    Attributes:
        checkpoint: File, address or name of published weights.
        to: The runtime: ``onnx``, ``openvino`` or ``torch``.
        out: File to write.
        precision: ``fp32``, ``bf16``, ``fp16`` or ``int8``.
        with_preprocess: Whether the file takes uint8 images and normalises them itself.
        calibration: Number of training images to calibrate int8 on.
        verbose: Whether to show what the libraries report.
        image_size: Size of the images that the file takes, as in :class:`RunOptions`.
    """

    checkpoint: str
    to: str
    out: str
    precision: Precision = 'fp32'
    with_preprocess: bool = False
    calibration: int = 300
    verbose: bool = False
    image_size: ImageSize | None = None


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What ``tools/predict.py`` takes.

    Attributes:
        model: What ``load_model`` takes.
        inputs: Files, folders, patterns, ``@LIST``, ``-``, addresses and archives.
        out: File for the table. Defaults to None: standard output.
        top_k: How many of the best classes to name. Defaults to the best one, or of a model for several labels an
            image to those that it predicts.
        threshold: Classes with a lower score are not named.
        features: Whether to write the pooled features too.
        copy_to: Folder to sort the images into.
        deploy: Whether to fold batch norm into the convolutions first.
        amp: Whether to compute in mixed precision, as in :class:`TrainOptions`.
        batch_size: Images computed at once.
        workers: Processes that load images. Defaults to one for each core, at most eight.
        image_size: Size of the images, as in :class:`RunOptions`. Defaults to that of the training.
        verbose: Whether to show the log and warnings of dependencies.
    """

    model: str
    inputs: tuple[str, ...]
    out: str | None = None
    top_k: int | None = None
    threshold: float | None = None
    features: bool = False
    copy_to: str | None = None
    deploy: bool = False
    amp: bool | Literal['force'] = False
    batch_size: int = 32
    workers: int | None = None
    image_size: ImageSize | None = None
    verbose: bool = False

"""The plugin fulfils what vtbench asks of a method, a task and a dataset."""

from vtbench_braille.dataset import BrailleSim
from vtbench_braille.method import Spectral
from vtbench_braille.task import Braille

from vtbench.benchmark.contract import DatasetContract, MethodContract, TaskContract


class TestSpectral(MethodContract):
    method = Spectral


class TestBraille(TaskContract):
    task = Braille


class TestBrailleSim(DatasetContract):
    dataset = BrailleSim

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Data

from benchmarks import gate
from benchmarks.contenders import CONTENDERS, Contender, Library
from benchmarks.rows import Values


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(3, (60,), generator=generator)
    return Data(
        x=F.normalize(torch.rand(60, 10, generator=generator), p=1.0),
        edge_index=torch.randint(60, (2, 300), generator=generator).unique(dim=1),
        y=y,
        train_mask=torch.arange(60) < 40,
    )


@pytest.fixture(scope="module")
def reference(data):
    return gate.reference(data, seed=0)


class WrongSlope(Contender):
    def build(self, data, dropout):
        model = super().build(data, dropout)
        model.get_submodule("conv1").__dict__["negative_slope"] = 0.21
        return model


class WrongGradient(Contender):
    def build(self, data, dropout):
        model = super().build(data, dropout)
        att_src = model.get_parameter("conv2.att_src")
        att_src.register_hook(lambda gradient: 1.01 * gradient)
        return model


class NotANumber(Contender):
    def build(self, data, dropout):
        model = super().build(data, dropout)
        model.register_forward_hook(lambda *arguments: arguments[-1] * float("nan"))
        return model


MODELS = [name for name, contender in CONTENDERS.items() if not isinstance(contender, Library)]


@pytest.mark.parametrize("name", [name for name in MODELS if name != "pyg-compile"])
def test_contenders_pass_the_gate(name, data, reference):
    values = gate.check(CONTENDERS[name], data, reference)
    assert gate.failures(values) == []


@pytest.mark.parametrize(
    ("contender", "failures"),
    [
        (WrongSlope("pyg"), ["output", "gradient"]),
        (WrongGradient("pyg"), ["gradient"]),
        (NotANumber("pyg"), ["output", "gradient"]),
    ],
)
def test_wrong_contenders_fail_the_gate(contender, failures, data, reference):
    found = gate.failures(gate.check(contender, data, reference))
    assert [text.split()[0] for text in found] == failures


def test_budget_has_the_size_of_float32_errors(reference):
    eps = torch.finfo(torch.float32).eps
    for budget in (reference.output_budget, reference.gradient_budget):
        assert eps < budget < 100 * eps


def test_biases_of_the_reference_are_not_zero(reference):
    biases = [value for name, value in reference.state.items() if name.endswith("bias")]
    assert len(biases) == 2
    assert all(bias.abs().min() > 0 for bias in biases)


def test_same_seed_gives_the_same_reference(data, reference):
    again = gate.reference(data, seed=0)
    other = gate.reference(data, seed=1)
    assert torch.equal(again.output, reference.output)
    assert not torch.equal(other.output, reference.output)


def test_reference_is_saved_and_loaded(tmp_path, data, reference):
    path = tmp_path / "cora.pt"
    reference.save(path)
    loaded = gate.Reference.load(path)
    assert [file.name for file in tmp_path.iterdir()] == ["cora.pt"]
    values = gate.check(CONTENDERS["pyg"], data, loaded)
    assert values == gate.check(CONTENDERS["pyg"], data, reference)


def test_gate_without_values_fails():
    assert gate.failures(Values()) == ["output error not measured", "gradient error not measured"]

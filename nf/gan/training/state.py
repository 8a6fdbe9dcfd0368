"""The state of a GAN's training and one step of it."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nf.core.seeds import derive_seed
from nf.gan.augment import mirror
from nf.gan.definition import GanConfig, GanDefinition, GanPair, ImageShape, Terms, build_networks, draw_latents
from nf.gan.generator import Gan
from nf.gan.networks.spectral_norm import SpectralNorm, initialise, plain_weights
from nf.models import ENGINES, Update

# Batches that the final statistics of batch norm are taken over.
_RECALIBRATION_BATCHES = 50


class Training:
    """Everything that changes from step to step, and one step.

    Args:
        definition: the GAN to train.
        config: hyper-parameters of the GAN.
        shape: images of the GAN.
        images: (N, C, H, W) uint8 training images.
        labels: (N,) int64 class of each image; all 0 for a GAN without classes.
        seed: root seed of all random draws.
        device: torch device to train on.
    """

    def __init__(
        self,
        definition: GanDefinition[Any],
        config: GanConfig,
        shape: ImageShape,
        images: Tensor,
        labels: Tensor,
        seed: int,
        device: str,
    ) -> None:
        self.definition, self.config, self.shape, self.seed = definition, config, shape, seed
        self.images, self.labels = images.to(device), labels.to(device)
        generator, discriminator = build_networks(definition, config, shape)
        self._norms: list[SpectralNorm] = []
        for network, role, spectral in (
            (generator, "generator", definition.spectral_generator),
            (discriminator, "discriminator", definition.spectral_discriminator),
        ):
            initialise(network, derive_seed(seed, role))
            self._place(network)
            if spectral:
                self._norms.append(SpectralNorm(network, derive_seed(seed, "spectral norm", role)))
        # On the CPU whatever the device, so that the same images are drawn everywhere.
        self.rng = torch.Generator().manual_seed(derive_seed(seed, "batches"))
        self.pair = GanPair(generator, discriminator, config, self.rng)
        self.average = copy.deepcopy(generator)
        self.optimizer_g = self._adam(generator, config.learning_rate_g)
        self.optimizer_d = self._adam(discriminator, config.learning_rate_d)
        self.step = 0
        self._losses: list[dict[str, Tensor]] = []
        self._names: dict[str, tuple[str, ...]] = {}
        self._update_d: Update = self._plain_update_d
        self._update_g: Update = self._plain_update_g

    def _place(self, network: nn.Module) -> None:
        network.to(device=self.images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _adam(self, network: nn.Module, learning_rate: float) -> torch.optim.Adam:
        engine = ENGINES[self.images.device.type]
        return engine.adam(network.parameters(), learning_rate, (self.config.beta1, self.config.beta2))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Launch the block's updates as suits the device.

        Updates that draw random numbers in their losses or differentiate twice are launched kernel by kernel.
        """
        if not self.definition.graph_capturable or self.config.max_shift > 0:
            yield
            return
        engine, device = ENGINES[self.images.device.type], self.images.device
        with (
            engine.running(self._plain_update_d, device, ()) as update_d,
            engine.running(self._plain_update_g, device, ()) as update_g,
        ):
            self._update_d, self._update_g = update_d, update_g
            try:
                yield
            finally:
                self._update_d, self._update_g = self._plain_update_d, self._plain_update_g

    def advance(self) -> None:
        """Make one step: ``d_steps`` updates of the discriminator, one of the generator, one of the average."""
        pair = self.pair
        pair.generator.requires_grad_(False)
        for _ in range(self.config.d_steps):
            d_losses = self._update_d(*self._draw_real(), *self._draw_latents(self.rng))
        pair.generator.requires_grad_(True)
        pair.discriminator.requires_grad_(False)
        g_losses = self._update_g(*self._draw_latents(self.rng))
        pair.discriminator.requires_grad_(True)
        self.step += 1
        self._update_average()
        # Copies: what an update returns may be overwritten by the next. They are read at a report, not before.
        self._losses.append({**self._named("d", d_losses.clone()), **self._named("g", g_losses.clone())})

    def _plain_update_d(self, images: Tensor, labels: Tensor, z: Tensor, fake_labels: Tensor) -> Tensor:
        with self._computing():
            terms = self.definition.d_loss(self.pair, images, labels, z, fake_labels)
        self._names["d"] = tuple(terms)
        return _descend(terms, self.optimizer_d)

    def _plain_update_g(self, z: Tensor, labels: Tensor) -> Tensor:
        with self._computing():
            terms = self.definition.g_loss(self.pair, z, labels)
        self._names["g"] = tuple(terms)
        return _descend(terms, self.optimizer_g)

    def _named(self, network: str, losses: Tensor) -> dict[str, Tensor]:
        return {f"{network}_{name}": loss for name, loss in zip(self._names[network], losses, strict=True)}

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Context in which losses are computed: with normalised weights, in the precision of the config."""
        with ExitStack() as stack:
            for norm in self._norms:
                stack.enter_context(norm.applied())
            enabled = self.config.precision == "bfloat16"
            stack.enter_context(torch.autocast(self.images.device.type, torch.bfloat16, enabled=enabled))
            yield

    def _draw_real(self) -> tuple[Tensor, Tensor]:
        drawn = torch.randint(len(self.images), (self.config.batch_size,), generator=self.rng)
        chosen = drawn.to(self.images.device, non_blocking=True)
        images = self.images[chosen].float() / 127.5 - 1
        return (mirror(images, self.rng) if self.config.flip else images), self.labels[chosen]

    def _draw_latents(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        z, labels = draw_latents(self.definition, self.config.latent_dim, self.shape, self.config.batch_size, rng)
        device = self.images.device
        return z.to(device, non_blocking=True), labels.to(device, non_blocking=True)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = self.config.ema_decay if self.step > self.config.ema_start else None
        for kept, new in zip(self.average.parameters(), self.pair.generator.parameters(), strict=True):
            kept.lerp_(new, 1 - (decay or 0))
        for buffer, new_buffer in zip(self.average.buffers(), self.pair.generator.buffers(), strict=True):
            buffer.copy_(new_buffer)

    def recent_losses(self, steps: int) -> dict[str, float]:
        """Mean of each term, ``d_adversarial`` and others, over the last ``steps`` steps since ``take_losses``."""
        recent = self._losses[-steps:]
        return {name: float(torch.stack([terms[name] for terms in recent]).mean()) for name in recent[0]}

    def take_losses(self) -> dict[str, float]:
        """Mean of each term over all steps since the last call, which are then forgotten."""
        means = self.recent_losses(len(self._losses))
        self._losses.clear()
        return means

    def to_gan(self) -> Gan:
        """The frozen GAN at this step: plain weights, and new batch-norm statistics for the averaged generator."""
        generator, discriminator = build_networks(self.definition, self.config, self.shape)
        kind = self.definition
        generator.load_state_dict(plain_weights(self.average, spectral=kind.spectral_generator))
        discriminator.load_state_dict(plain_weights(self.pair.discriminator, spectral=kind.spectral_discriminator))
        for network in (generator, discriminator):
            self._place(network)
        self._recalibrate_batchnorm(generator, torch.Generator().manual_seed(derive_seed(self.seed, "settle")))
        return Gan(self.definition, self.config, self.shape, generator, discriminator)

    @torch.no_grad()
    def _recalibrate_batchnorm(self, generator: nn.Module, rng: torch.Generator) -> None:
        for layer in generator.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
                layer.momentum = None  # a plain mean over the batches
        generator.train()
        for _ in range(_RECALIBRATION_BATCHES):
            generator(*self._draw_latents(rng))

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values from which ``load_state_dict`` goes on as if the run had not been interrupted."""
        return {
            "generator": self.pair.generator.state_dict(),
            "discriminator": self.pair.discriminator.state_dict(),
            "average": self.average.state_dict(),
            "optimizer_g": self.optimizer_g.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict(),
            "singular_vectors": [vectors for norm in self._norms for vectors in norm.vectors],
            "rng": self.rng.get_state(),
            "step": self.step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that ``state_dict`` gave."""
        self.pair.generator.load_state_dict(state["generator"])
        self.pair.discriminator.load_state_dict(state["discriminator"])
        self.average.load_state_dict(state["average"])
        self.optimizer_g.load_state_dict(state["optimizer_g"])
        self.optimizer_d.load_state_dict(state["optimizer_d"])
        vectors = (vectors for norm in self._norms for vectors in norm.vectors)
        for mine, saved in zip(vectors, state["singular_vectors"], strict=True):
            mine.copy_(saved)
        self.rng.set_state(state["rng"].cpu())
        self.step = state["step"]


def _descend(terms: Terms, optimizer: torch.optim.Optimizer) -> Tensor:
    """Make one update and return the terms (T,) as they were before it."""
    optimizer.zero_grad()
    losses = torch.stack(list(terms.values()))
    losses.sum().backward()
    optimizer.step()
    return losses.detach()

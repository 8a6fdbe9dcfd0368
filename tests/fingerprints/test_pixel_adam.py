import torch

from nf.fingerprints.pixel_adam import PixelAdam


def test_steps_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(4, 1, 3, 3, generator=generator)
    own, theirs = PixelAdam(start, 0.05), start.clone().requires_grad_(True)
    reference = torch.optim.Adam([theirs], lr=0.05)
    for _ in range(20):
        gradient = torch.randn(start.shape, generator=generator)
        own.step(gradient)
        theirs.grad = gradient
        reference.step()
        theirs.data.clamp_(0, 1)
    assert torch.allclose(own.images, theirs, atol=1e-6)
    assert own.images.min() == 0
    assert own.images.max() == 1


def test_an_image_goes_its_way_whoever_is_taken_out():
    generator = torch.Generator().manual_seed(0)
    start, gradients = torch.rand(3, 1, 2, 2, generator=generator), torch.randn(6, 3, 1, 2, 2, generator=generator)
    together, alone = PixelAdam(start, 0.05), PixelAdam(start, 0.05)
    for gradient in gradients[:3]:
        together.step(gradient)
        alone.step(gradient)
    alone.keep(torch.tensor([False, True, True]))
    for gradient in gradients[3:]:
        together.step(gradient)
        alone.step(gradient[1:])
    assert torch.equal(alone.images, together.images[1:])

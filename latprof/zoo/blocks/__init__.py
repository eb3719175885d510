"""The convolutions and modules that light networks are made of, each by itself.

``zoo:block/separable?channels=64&size=56`` is one of them on an input of 1x64x56x56. What a block
can be asked is what its factory takes; `out_channels` left out are as many as `channels`.
"""

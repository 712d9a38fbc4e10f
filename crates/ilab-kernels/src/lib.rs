//! CPU kernels for training, forward and backward.

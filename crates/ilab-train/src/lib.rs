//! The trainable model, packing, loss, optimiser, loop and checkpoints.

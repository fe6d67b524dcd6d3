"""Wav2Lip (Prajwal et al. 2020, "A Lip Sync Expert Is All You Need"): the lower half of a face from sound.

The network, its mel spectrogram and the way its pictures get into the frame are those of the published
model, so that its checkpoints give the pictures that they were trained to give.
"""

"""Weights of a very small Wan2.2-S2V: every part of the real one, a few numbers wide, from a fixed seed.

Importing this needs the package `diffsynth`, which recognises weights by a digest of names and shapes, so
those of the small parts are made known to it.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from services.lipsync.engines.wan.local import AUDIO_ENCODER, TOKENIZER

LATENTS = 16
HEARD = 16
READ = 16
WORDS = ("<pad>", "</s>", "<unk>", "she", "waves", "sings")


def _package() -> Callable[[str], Any]:
    """Parts of the package by their path, which warn when they are imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("transformers")
        if find_spec("torchvision") is None:
            # Imported by the package for other models. Not every index has it for a torch without CUDA.
            parts = {name: ModuleType(name) for name in ("torchvision", "torchvision.transforms")}
            vars(parts["torchvision"])["transforms"] = parts["torchvision.transforms"]
            sys.modules.update(parts)
        import_module("diffsynth")
    return lambda path: getattr(import_module(path.rpartition(".")[0]), path.rpartition(".")[2])


_part = _package()
transformers = import_module("transformers")


def small_vae() -> Any:
    """Factors of the real one: 4 pictures and 8 x 8 pixels a latent."""
    vae = _bare("diffsynth.models.wan_video_vae.WanVideoVAE")
    vae.scale = [torch.zeros(LATENTS), torch.ones(LATENTS)]
    shape = {"dim": 2, "z_dim": LATENTS, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}
    vae.model = _part("diffsynth.models.wan_video_vae.VideoVAE_")(**shape)
    vae.upsampling_factor = 8
    vae.z_dim = LATENTS
    return vae


def small_audio_encoder() -> Any:
    """The layers of the real one, at its rate of 50 a second."""
    encoder = _bare("diffsynth.models.wav2vec.WanS2VAudioEncoder")
    config = transformers.Wav2Vec2Config(
        vocab_size=8,
        hidden_size=HEARD,
        intermediate_size=16,
        num_hidden_layers=24,
        num_attention_heads=2,
        conv_dim=[8] * 7,
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    encoder.model = transformers.Wav2Vec2ForCTC(config)
    encoder.video_rate = 30
    return encoder


def small_transformer() -> Any:
    """Sound goes into the first layer and the last."""
    return _part("diffsynth.models.wan_video_dit_s2v.WanS2VModel")(
        dim=24,
        in_dim=LATENTS,
        ffn_dim=32,
        out_dim=LATENTS,
        text_dim=READ,
        freq_dim=16,
        eps=1e-6,
        patch_size=(1, 2, 2),
        num_heads=2,
        num_layers=3,
        cond_dim=LATENTS,
        audio_dim=HEARD,
        num_audio_token=4,
        audio_inject_layers=[0, 2],
    )


def small_text_encoder() -> Any:
    """One layer."""
    return _part("diffsynth.models.wan_video_text_encoder.WanTextEncoder")(
        vocab=len(WORDS), dim=READ, dim_attn=16, dim_ffn=16, num_heads=2, num_layers=1, num_buckets=8
    )


def _bare(path: str) -> Any:
    """A module of a kind whose own constructor would make the real, big one."""
    kind = _part(path)
    module = kind.__new__(kind)
    torch.nn.Module.__init__(module)
    return module


def write_small_weights(folder: Path) -> None:
    """Fill a folder as that of the published weights is filled, and have the package know what is in it."""
    torch.manual_seed(1)
    audio = folder / AUDIO_ENCODER
    audio.mkdir(parents=True)
    _save(folder / "diffusion_pytorch_model-1.safetensors", "wan_video_dit", small_transformer)
    _save(folder / "models_t5_umt5-xxl-enc-bf16.pth", "wan_video_text_encoder", small_text_encoder)
    _save(folder / "Wan2.1_VAE.pth", "wan_video_vae", small_vae)
    _save(audio / "model.safetensors", "wans2v_audio_encoder", small_audio_encoder)
    _write_tokenizer(folder / TOKENIZER)
    _write_audio_processor(audio)


def _save(path: Path, part: str, make: Callable[[], Any]) -> None:
    numbers = {name: tensor.contiguous() for name, tensor in make().state_dict().items()}
    if path.suffix == ".safetensors":
        _part("safetensors.torch.save_file")(numbers, str(path))
    else:
        torch.save(numbers, path)
    _part("diffsynth.configs.MODEL_CONFIGS").append(
        {
            "model_hash": _part("diffsynth.core.loader.file.hash_model_file")(str(path)),
            "model_name": part,
            "model_class": f"{__name__}.{make.__name__}",
        }
    )


def _write_tokenizer(folder: Path) -> None:
    tokenizers = import_module("tokenizers")
    words = tokenizers.models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(words)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def _write_audio_processor(folder: Path) -> None:
    letters = folder / "vocab.json"
    letters.write_text(json.dumps({"<pad>": 0, "<unk>": 1, "|": 2, "a": 3}))
    # Loudness is not evened out over the window, so that a sound is heard where it is and nowhere else.
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)
    transformers.Wav2Vec2CTCTokenizer(str(letters), pad_token="<pad>", unk_token="<unk>").save_pretrained(
        folder
    )

"""What the pictures of a run show, in words: title and caption by the picture's name."""

from __future__ import annotations

CAPTIONS: dict[str, tuple[str, str]] = {
    "reconstructions": (
        "Reconstructions",
        "Held-out data and what the model makes of them: the likelihood's mean at the posterior's "
        "mean, or at the likeliest component of a mixture.",
    ),
    "denoised": (
        "Denoised",
        "Held-out data, the same corrupted as in training, and what the model makes of the "
        "corrupted. A masked autoencoder is trained on the hidden part alone.",
    ),
    "samples": (
        "Samples",
        "Codes drawn from the prior, decoded: images as the likelihood's mean, tables as draws.",
    ),
    "samples_of_each_class": (
        "Samples of each class",
        "A row for each label that the model is conditioned on: codes drawn from the prior, and "
        "the likelihood's mean.",
    ),
    "forecasts": (
        "Forecasts",
        "Held-out sequences up to the dashed line, what came then, and what the model draws: the "
        "mean, the central interval and a few paths. Of frames: the data, and two draws each.",
    ),
    "beliefs": (
        "Beliefs",
        "A held-out sequence: what is believed of each step from the past alone and from all data, "
        "and how improbable each step is given those before it.",
    ),
    "sentences": (
        "Samples of sentences",
        "Held-out images (first) over their captions, and samples that the model draws of these.",
    ),
    "completions": (
        "Completions",
        "Held-out data without the part that is missing (orange), as they are, and completed with "
        "codes drawn from the prior: the likelihood's mean, the observed part as it is. Of a "
        "table: held-out rows, and the same with the missing part drawn.",
    ),
    "latent_map": (
        "Codes of held-out data",
        "The posterior's means: as they are if there are two dimensions, else their first two "
        "principal components.",
    ),
    "components": (
        "Components in use",
        "How many held-out examples each component is the likeliest of.",
    ),
    "mixture": (
        "Mixture",
        "The components over held-out data, x as the model sees it.",
    ),
    "manifold": (
        "Learned manifold",
        "What the code plane decodes to, at even steps of the prior's probability.",
    ),
    "latent_usage": (
        "Code dimensions in use",
        "The rate of each dimension; one near zero carries nothing about the data.",
    ),
}

#: What other words fit a model of data without codes, each number given those before it,
_WITHOUT_CODES = {
    "samples": "Data that the model draws, one number after the other.",
    "samples_of_each_class": (
        "A row for each label that the model is conditioned on: data that it draws, one number "
        "after the other."
    ),
}
#: and one of sound, whose samples are drawn one after the other.
_OF_SOUND = {
    "reconstructions": "Held-out sounds, and what the decoder draws of their codes.",
    "samples": "Codes drawn from the prior, and what the decoder draws of each.",
}


def caption(stem: str, kind: str, has_codes: bool) -> tuple[str, str] | None:
    """Title and caption of a picture; None of one that has none.

    Args:
        stem: the picture's name.
        kind: of the data.
        has_codes: whether the model has any.
    """
    if stem not in CAPTIONS:
        return None
    title, text = CAPTIONS[stem]
    other = {**(_OF_SOUND if kind == "audio" else {}), **({} if has_codes else _WITHOUT_CODES)}
    return title, other.get(stem, text)

#!/usr/bin/env python3
"""Makes audio/demo.wav and audio/demo.txt: ten announcements with pauses, 34.7 s, and what is said in them.

The recordings are those of the Debian packages asterisk-core-sounds-en-g722 (audio) and asterisk-core-sounds-en
(transcripts), spoken by Allison Smith, CC BY-SA 3.0. They are downloaded with apt-get, unpacked below audio/ and not
installed. Decoding is done by penstock-decode, which the project builds. Needs Python 3.9 and no packages.

    fetch_audio.py                                    # the demo
    fetch_audio.py --prompts conf-kicked,conf-invalid --output audio/two.wav
    fetch_audio.py --drop conf-kicked --output audio/nine.wav
    fetch_audio.py --silence 10 --output audio/silence.wav
"""

import argparse
import array
import gzip
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Optional

from noise import standard_normal

HERE = Path(__file__).resolve().parent
AUDIO = HERE / "audio"
PACKAGES = ("asterisk-core-sounds-en-g722", "asterisk-core-sounds-en")
SOUNDS = AUDIO / "usr/share/asterisk/sounds/en_US_f_Allison"
TRANSCRIPTS = AUDIO / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
PROMPTS = (
    "all-circuits-busy-now",
    "cannot-complete-as-dialed",
    "conf-invalid",
    "conf-onlyperson",
    "conf-placeintoconf",
    "conf-roll-callcomplete",
    "conf-leaderhasleft",
    "conf-kicked",
    "conf-now-recording",
    "conf-otherinparty",
)

RATE = 16_000  # Hz
LEAD_IN = 8_000  # samples: 0.5 s
PAUSE = 12_800  # samples: 0.8 s
NOISE = 20  # standard deviation in 16-bit steps: -64 dB, as faint as a quiet line
LOUDEST = 32_767


class Problem(Exception):
    """A sentence for the user."""


def unpack_packages() -> None:
    """Downloads and unpacks the two packages below audio/, unless they are there."""
    if SOUNDS.is_dir() and TRANSCRIPTS.is_file():
        return
    AUDIO.mkdir(exist_ok=True)
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Problem(
                f"{tool} is not here, so this is no Debian or Ubuntu: download the .deb files of "
                f"{' and '.join(PACKAGES)} (Debian 12) elsewhere and unpack both into {AUDIO}"
            )
    print(f"downloading {', '.join(PACKAGES)} (10.6 MB)")
    done = subprocess.run(["apt-get", "download", *PACKAGES], cwd=AUDIO, text=True, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise Problem(f"apt-get download failed; `apt-get update` first may help:\n{done.stderr.strip()}")
    for package in sorted(AUDIO.glob("asterisk-core-sounds-en*.deb")):
        subprocess.run(["dpkg-deb", "--extract", package.name, "."], cwd=AUDIO, check=True)
        package.unlink()


def find_decoder(given: Optional[str]) -> str:
    built = HERE.parent.parent / "build/bin/penstock-decode"
    decoder = given or os.environ.get("PENSTOCK_DECODE") or shutil.which(str(built)) or shutil.which("penstock-decode")
    if decoder is None:
        raise Problem("penstock-decode is missing: build the project first (./dev build), or give --decoder")
    return decoder


def decode(decoder: str, prompt: str) -> "array.array[int]":
    """Samples of a prompt: 16 bit, 16 kHz, one channel."""
    file = SOUNDS / f"{prompt}.g722"
    if not file.is_file():
        raise Problem(f"there is no prompt '{prompt}': the names are those of the files in {SOUNDS}")
    done = subprocess.run([decoder, str(file), str(RATE), "1"], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Problem(f"{decoder} could not decode {file}")
    samples = array.array("h")
    samples.frombytes(done.stdout)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def read_transcripts() -> dict[str, str]:
    with gzip.open(TRANSCRIPTS, "rt", errors="ignore") as lines:
        return dict(line.strip().split(": ", 1) for line in lines if ": " in line)


def words_of(transcript: str) -> str:
    """As a recognizer writes: lower case, no punctuation."""
    letters = "".join(c for c in transcript.lower() if c.isalpha() or c == " ")
    return " ".join(letters.split())


def add_noise(samples: list[int]) -> "array.array[int]":
    noisy = (int(sample + NOISE * normal) for sample, normal in zip(samples, standard_normal()))
    return array.array("h", (max(-LOUDEST - 1, min(LOUDEST, sample)) for sample in noisy))


def write_wav(file: Path, samples: "array.array[int]") -> None:
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", metavar="A,B,…", help="these prompts in this order (default: the demo's ten)")
    parser.add_argument("--drop", metavar="A,B,…", default="", help="without these")
    parser.add_argument("--silence", metavar="SECONDS", type=float, help="no prompts, only the faint noise")
    parser.add_argument("--output", type=Path, default=AUDIO / "demo.wav", help="the .wav (default: audio/demo.wav)")
    parser.add_argument("--decoder", help="penstock-decode (default: the project's, then that on PATH)")
    parser.add_argument("--force", action="store_true", help="make it again if it is there")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    wav, transcript = arguments.output, arguments.output.with_suffix(".txt")
    if wav.is_file() and transcript.is_file() and not arguments.force:
        print(f"{wav} is there; --force makes it again")
        return 0
    prompts = arguments.prompts.split(",") if arguments.prompts else list(PROMPTS)
    prompts = [prompt for prompt in prompts if prompt not in arguments.drop.split(",")]
    samples: list[int] = [0] * LEAD_IN
    sentences = []
    if arguments.silence is not None:
        samples = [0] * int(arguments.silence * RATE)
    else:
        unpack_packages()
        decoder = find_decoder(arguments.decoder)
        transcripts = read_transcripts()
        for prompt in prompts:
            samples.extend(decode(decoder, prompt))
            samples.extend([0] * PAUSE)
            sentences.append(words_of(transcripts[prompt]))
    wav.parent.mkdir(parents=True, exist_ok=True)
    # The WAV last and under its name only when complete: its being there means that all is done.
    transcript.write_text("".join(sentence + "\n" for sentence in sentences), encoding="utf-8")
    unfinished = wav.with_suffix(".part")
    write_wav(unfinished, add_noise(samples))
    unfinished.replace(wav)
    print(f"{wav}: {len(samples) / RATE:.2f} s, {len(sentences)} announcements; what is said: {transcript}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        print(f"fetch_audio: {problem}", file=sys.stderr)
        sys.exit(3)

"""One recording of one synthetic person: what camera, microphone and sensors make of the same states."""

from functools import cached_property
from pathlib import Path

import numpy as np

from benchmark.params import Population
from benchmark.seeds import generator
from benchmark.synthesis import face, film, physiology, sensors, voice
from benchmark.synthesis.population import delivery, drive, units
from benchmark.synthesis.states import Shown


class Scene:
    """A person, who = (subject, recording), showing states for some seconds. Depends on identities alone."""

    def __init__(self, name: str, population: Population, who: tuple[int, int | str], shown: Shown, seconds: float):
        self.name, self.population, self.who, self.shown, self.seconds = name, population, who, shown, seconds

    def generator(self, *what: str | int) -> np.random.Generator:
        """Random numbers of this recording alone."""
        return generator("scene", self.name, self.population.seed, *self.who, *what)

    def own(self, what: str) -> np.random.Generator:
        """Random numbers of this person, the same in every recording."""
        return generator("subject", self.name, self.population.seed, self.who[0], what)

    def frames(self, times: np.ndarray, onset: tuple[float, float] | None = None):
        """The pictures, (SIZE, SIZE, 3) BGR uint8 each, at times in s that are evenly spaced."""
        rate = 1 / float(np.mean(np.diff(times)))
        shown = units(self.name, self.population, self.who, self.shown.face, len(times), rate, onset)
        rng = self.generator("picture")
        return face.render(face.look(self.own("look")), shown, face.motion(rng, len(times)), rng)

    def film(self, path: Path, rate: float, sound: np.ndarray | None = None, sound_rate: int = 48_000) -> None:
        """A video of the face, with sound where there is any."""
        times = np.arange(round(self.seconds * rate)) / rate
        film.write(path, self.frames(times), rate, sound, sound_rate)

    def sound(self, rate: int, talking: list[tuple[float, float]] | None = None, sentence: int | None = None):
        """What a microphone hears, (samples,) float32. talking: spans in s; None = throughout."""
        how = delivery(self.name, self.population, self.who, self.shown.voice)
        person = voice.person(self.own("voice"))
        return voice.speak(person, how, self.seconds, rate, self.generator("sound"), talking, sentence)

    def record_voice(self, path: Path, rate: int, talking: list[tuple[float, float]] | None = None) -> None:
        """The sound as a 16-bit mono wav."""
        import soundfile

        soundfile.write(path, self.sound(rate, talking), rate, subtype="PCM_16")

    @cached_property
    def life(self) -> physiology.Life:
        driven = drive(self.name, self.population, self.who, self.shown.body)
        return physiology.live(physiology.person(self.own("body")), driven, self.seconds, self.generator("life"))

    def signal(self, channel: str, rate: float, site: str = "chest") -> np.ndarray:
        """What a sensor records; units as in sensors.record."""
        return sensors.record(self.life, channel, rate, self.generator("sensor", channel, site), site)

    def boxes(self, count: int) -> np.ndarray:
        """Where the face is in each of the first `count` frames: x, y, width, height in px."""
        return face.boxes(face.look(self.own("look")), face.motion(self.generator("picture"), count))

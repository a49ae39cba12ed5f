// Decoded numbers as what can be seen and heard: pictures, rows, sound.
import type { Datum } from "../latent";
import type { Told } from "./packed";

/** @param values in the units of the data; of sound a wave in [-1, 1]. */
export function datumOf(told: Told, values: ArrayLike<number>): Datum {
  const { about, shown } = told;
  switch (about.kind) {
    case "image":
      return pictureOf(values, about.event_shape as [number, number, number], shown.low, shown.high);
    case "audio":
      return soundOf(values, shown.rate ?? 8000);
    case "vector":
      return {
        kind: "row",
        names: shown.columns.length ? shown.columns : Array.from(values, (_, d) => `x${d}`),
        values: Array.from(values, (value) => (Number.isFinite(value) ? value : null)),
      };
  }
}

function pictureOf(
  values: ArrayLike<number>,
  [channels, height, width]: [number, number, number],
  low: number,
  high: number,
): Datum {
  const image = new ImageData(width, height);
  const scale = 255 / (high - low || 1);
  const size = width * height;
  for (let place = 0; place < size; place++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = values[(channels === 3 ? channel : 0) * size + place] ?? low;
      image.data[4 * place + channel] = Math.round((value - low) * scale); // clamped by its type
    }
    image.data[4 * place + 3] = 255;
  }
  const canvas = canvasOf(width, height);
  context(canvas).putImageData(image, 0, 0);
  return { kind: "image", src: canvas.toDataURL("image/png"), width, height };
}

export function canvasOf(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

export function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  return canvas.getContext("2d", { willReadFrequently: true })!;
}

const WIDE = 320;
const TALL = 80;

function soundOf(wave: ArrayLike<number>, rate: number): Datum {
  return {
    kind: "sound",
    src: wavOf(wave, rate),
    picture: envelopeOf(wave),
    seconds: wave.length / rate,
  };
}

/** 16 bits, one channel. */
export function wavOf(wave: ArrayLike<number>, rate: number): string {
  const bytes = new Uint8Array(44 + 2 * wave.length);
  const view = new DataView(bytes.buffer);
  const word = (at: number, text: string) => {
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  };
  word(0, "RIFF");
  view.setUint32(4, 36 + 2 * wave.length, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, 2 * wave.length, true);
  for (let i = 0; i < wave.length; i++) {
    const value = Math.max(-1, Math.min(1, wave[i] ?? 0));
    view.setInt16(44 + 2 * i, Math.round(32767 * value), true);
  }
  let letters = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return `data:audio/wav;base64,${btoa(letters)}`;
}

/** How loud it is over time: the least and the greatest of each column. */
function envelopeOf(wave: ArrayLike<number>): string {
  const canvas = canvasOf(WIDE, TALL);
  const pen = context(canvas);
  pen.fillStyle = "#f4f6f8";
  pen.fillRect(0, 0, WIDE, TALL);
  pen.fillStyle = "#0072b2";
  const each = wave.length / WIDE;
  for (let x = 0; x < WIDE; x++) {
    let low = 0;
    let high = 0;
    for (let i = Math.floor(x * each); i < (x + 1) * each; i++) {
      low = Math.min(low, wave[i] ?? 0);
      high = Math.max(high, wave[i] ?? 0);
    }
    const top = (TALL / 2) * (1 - high);
    pen.fillRect(x, top, 1, Math.max(1, (TALL / 2) * (1 - low) - top));
  }
  return canvas.toDataURL("image/png");
}

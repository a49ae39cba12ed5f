// A reader's own file, as the model sees it. It is read here and goes nowhere.
import { Problem } from "../server";
import { words } from "../words";
import type { Floats, Told } from "./packed";
import { canvasOf, context } from "./show";

const t = words(
  {
    image: "{name} does not open as a picture in this browser; save it as PNG or JPEG.",
    sound: "{name} does not open as sound in this browser; save it as WAV.",
    row: "{name}: expected a row of {n} numbers, or a table with the columns {columns}.",
  },
  {
    image: "{name}: 이 브라우저에서 그림으로 열 수 없습니다. PNG나 JPEG로 저장하세요.",
    sound: "{name}: 이 브라우저에서 소리로 열 수 없습니다. WAV로 저장하세요.",
    row: "{name}: 숫자 {n}개로 된 행이나 {columns} 열이 있는 표가 필요합니다.",
  },
);

/** In the units of the data; of sound a wave. */
export async function valuesOf(told: Told, file: File): Promise<Floats> {
  switch (told.about.kind) {
    case "image":
      return imageOf(told, file);
    case "audio":
      return waveOf(told, file);
    case "vector":
      return rowOf(told, await file.text(), file.name);
  }
}

/** The largest part in the middle of the model's proportions, on white, at its size. */
async function imageOf(told: Told, file: File): Promise<Float32Array> {
  const [channels, height, width] = told.about.event_shape as [number, number, number];
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Problem(t("image", { name: file.name }));
  }
  const scale = Math.min(bitmap.width / width, bitmap.height / height);
  const [wide, tall] = [width * scale, height * scale];
  const left = (bitmap.width - wide) / 2;
  const top = (bitmap.height - tall) / 2;
  const pen = context(canvasOf(width, height));
  pen.fillStyle = "white";
  pen.fillRect(0, 0, width, height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, left, top, wide, tall, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const { low, high, grid } = told.shown;
  // A file of 16 bits is in the units of data that go beyond 8; a canvas has the upper 8 alone.
  const span = low === 0 && high > 255 && (await isDeep(file)) ? 65535 : high - low;
  const size = width * height;
  const values = new Float32Array(channels * size);
  for (let place = 0; place < size; place++) {
    const [red = 0, green = 0, blue = 0] = data.subarray(4 * place, 4 * place + 3);
    const levels = channels === 3 ? [red, green, blue] : [0.299 * red + 0.587 * green + 0.114 * blue];
    levels.forEach((level, channel) => {
      const value = low + (Math.round(level) / 255) * span;
      values[channel * size + place] = grid ? onGrid(value, grid) : value;
    });
  }
  return values;
}

function onGrid(value: number, [least, step, most]: [number, number, number | null]): number {
  const level = least + Math.round((value - least) / step) * step;
  return most === null ? level : Math.max(least, Math.min(most, level));
}

/** A PNG says in its header how many bits a sample has. */
async function isDeep(file: File): Promise<boolean> {
  const head = new Uint8Array(await file.slice(0, 26).arrayBuffer());
  const png = [0x89, 0x50, 0x4e, 0x47].every((byte, place) => head[place] === byte);
  return png && head[24] === 16;
}

/** The first window, mono; a shorter sound ends in silence. */
async function waveOf(told: Told, file: File): Promise<Float32Array> {
  const length = told.about.event_shape[0] ?? 1;
  try {
    const player = new OfflineAudioContext(1, length, told.shown.rate ?? 8000);
    const sound = await player.decodeAudioData(await file.arrayBuffer());
    const wave = new Float32Array(length);
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
      const own = sound.getChannelData(channel);
      for (let i = 0; i < Math.min(length, own.length); i++) {
        wave[i] = (wave[i] ?? 0) + (own[i] ?? 0) / sound.numberOfChannels;
      }
    }
    return wave;
  } catch {
    throw new Problem(t("sound", { name: file.name }));
  }
}

/** The first row of numbers; by the names of the columns where there is a head. */
export function rowOf(told: Told, text: string, name: string): Floats {
  const width = told.about.event_shape[0] ?? 1;
  const { columns } = told.shown;
  const lines = text.split(/\r?\n/).filter((line) => line.trim());
  const cells = (line: string) => line.split(",").map((cell) => cell.trim().replace(/^"|"$/g, ""));
  const head = cells(lines[0] ?? "");
  const places = columns.map((column) => head.indexOf(column));
  const named = columns.length > 0 && places.every((place) => place >= 0);
  const row = cells(lines[named ? 1 : 0] ?? "");
  const found = (named ? places.map((place) => row[place] ?? "") : row).map((cell) =>
    cell === "" ? Number.NaN : Number(cell),
  );
  if (found.length !== width || !found.every(Number.isFinite)) {
    throw new Problem(t("row", { name, n: width, columns: columns.join(", ") || "x0 …" }));
  }
  return Float64Array.from(found);
}

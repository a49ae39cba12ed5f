// The held-out examples that came with the page: pictures on one sheet, rows, a few sounds.
import type { Datum } from "../latent";
import type { Packed } from "./packed";
import { canvasOf, context, datumOf } from "./show";

export class Sheet {
  private sheet: Promise<ImageBitmap> | null = null;

  private constructor(private readonly packed: Packed) {}

  static of(packed: Packed): Sheet {
    return new Sheet(packed);
  }

  /** Null where it did not come along. */
  async at(number: number): Promise<Datum | null> {
    const { told } = this.packed;
    const { originals } = told;
    if (!originals || number >= originals.count) return null;
    if ("across" in originals) {
      const { across, width, height } = originals;
      const canvas = canvasOf(width, height);
      const [x, y] = [(number % across) * width, Math.floor(number / across) * height];
      context(canvas).drawImage(await this.opened(originals.kind), x, y, width, height, 0, 0, width, height);
      return { kind: "image", src: canvas.toDataURL("image/png"), width, height };
    }
    const row = this.packed.rows("originals")!.at(number);
    return datumOf(told, originals.kind === "sounds" ? row.map(wave) : row);
  }

  private opened(kind: string): Promise<ImageBitmap> {
    this.sheet ??= createImageBitmap(new Blob([this.packed.array("originals")!], { type: kind }));
    return this.sheet;
  }
}

/** Of a mu-law level; see lowerbound.sound.expand. */
function wave(level: number): number {
  const f = (2 * level) / 255 - 1;
  return (Math.sign(f) * (256 ** Math.abs(f) - 1)) / 255;
}

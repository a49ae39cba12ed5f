// Painting on a canvas: places of a square plane, surfaces, points, ellipses, grids.
import { colour } from "../theme";
import type { Numbers } from "./types";

/** A canvas whose plane reaches from -reach to reach, y upwards. */
export class Paint {
  constructor(
    readonly ink: CanvasRenderingContext2D,
    /** Pixels of a side. */
    readonly side: number,
    readonly reach: number,
    /** Pixels of the canvas in one of the page. */
    readonly dense: number,
  ) {}

  x(value: number): number {
    return ((value + this.reach) / (2 * this.reach)) * this.side;
  }

  y(value: number): number {
    return this.side - this.x(value);
  }

  clear(): void {
    this.ink.globalAlpha = 1;
    this.ink.fillStyle = colour("--card");
    this.ink.fillRect(0, 0, this.side, this.side);
  }

  /** Points (N, 2); `at` says which of some colours each has. */
  points(points: Numbers, size: number, colours: string[], alpha: number, at?: ArrayLike<number>): void {
    const { values } = points;
    const half = (size * this.dense) / 2;
    this.ink.globalAlpha = alpha;
    for (let k = 0; k < colours.length; k++) {
      this.ink.fillStyle = colours[k]!;
      this.ink.beginPath();
      const count = points.shape[0]!;
      for (let i = 0; i < count; i++) {
        if (at ? at[i] !== k : k > 0) continue;
        const x = this.x(values[2 * i]!);
        const y = this.y(values[2 * i + 1]!);
        this.ink.rect(x - half, y - half, 2 * half, 2 * half);
      }
      this.ink.fill();
    }
    this.ink.globalAlpha = 1;
  }

  /** A surface (rows from low y, columns from low x) in colours of four numbers each. */
  surface(surface: Numbers, paint: (value: number, into: Uint8ClampedArray, at: number) => void): void {
    const [rows = 0, columns = 0] = surface.shape;
    const image = new ImageData(columns, rows);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        paint(surface.values[row * columns + column]!, image.data, 4 * ((rows - 1 - row) * columns + column));
      }
    }
    const small = new OffscreenCanvas(columns, rows);
    small.getContext("2d")!.putImageData(image, 0, 0);
    this.ink.imageSmoothingEnabled = true;
    this.ink.imageSmoothingQuality = "high";
    this.ink.drawImage(small, 0, 0, this.side, this.side);
  }

  /** Half axes in units of the plane. */
  ellipse(x: number, y: number, a: number, b: number, turned = 0): void {
    const scale = this.side / (2 * this.reach);
    this.ink.beginPath();
    this.ink.ellipse(this.x(x), this.y(y), a * scale, b * scale, -turned, 0, 2 * Math.PI);
  }

  stroke(style: string, width: number, alpha = 1): void {
    this.ink.globalAlpha = alpha;
    this.ink.strokeStyle = style;
    this.ink.lineWidth = width * this.dense;
    this.ink.stroke();
    this.ink.globalAlpha = 1;
  }

  /** Lines through nodes (rows, columns, 2), along both. */
  net(nodes: Numbers, style: string, alpha: number): void {
    const [rows = 0, columns = 0] = nodes.shape;
    const at = (row: number, column: number): [number, number] => {
      const place = 2 * (row * columns + column);
      return [this.x(nodes.values[place]!), this.y(nodes.values[place + 1]!)];
    };
    this.ink.beginPath();
    for (let row = 0; row < rows; row++) {
      this.ink.moveTo(...at(row, 0));
      for (let column = 1; column < columns; column++) this.ink.lineTo(...at(row, column));
    }
    for (let column = 0; rows > 1 && column < columns; column++) {
      this.ink.moveTo(...at(0, column));
      for (let row = 1; row < rows; row++) this.ink.lineTo(...at(row, column));
    }
    this.stroke(style, rows > 1 ? 0.8 : 2, alpha);
  }

  /** Cells of a grid of equal mass, the darker the smaller they are: how dense the samples lie. */
  cells(nodes: Numbers, style: string): void {
    const [rows = 0, columns = 0] = nodes.shape;
    const { values } = nodes;
    const whole = (2 * this.reach) ** 2;
    this.ink.fillStyle = style;
    for (let row = 0; row + 1 < rows; row++) {
      for (let column = 0; column + 1 < columns; column++) {
        const corners = [
          row * columns + column,
          row * columns + column + 1,
          (row + 1) * columns + column + 1,
          (row + 1) * columns + column,
        ].map((place) => [values[2 * place]!, values[2 * place + 1]!] as const);
        let area = 0;
        for (let i = 0; i < 4; i++) {
          const [a, b] = corners[i]!;
          const [c, d] = corners[(i + 1) % 4]!;
          area += (a * d - b * c) / 2;
        }
        const density = whole / ((rows - 1) * (columns - 1) * Math.max(Math.abs(area), 1e-4));
        this.ink.globalAlpha = Math.min(0.7, 0.06 * density);
        this.ink.beginPath();
        corners.forEach(([x, y], i) => (i ? this.ink.lineTo(this.x(x), this.y(y)) : this.ink.moveTo(this.x(x), this.y(y))));
        this.ink.fill();
      }
    }
    this.ink.globalAlpha = 1;
  }

  /** From x, y along dx, dy (N, 4), the longest as long as `most` in the plane. */
  arrows(arrows: Numbers, style: string, most: number): void {
    const { values } = arrows;
    const count = arrows.shape[0]!;
    let longest = 1e-9;
    for (let i = 0; i < count; i++) longest = Math.max(longest, Math.hypot(values[4 * i + 2]!, values[4 * i + 3]!));
    this.ink.beginPath();
    for (let i = 0; i < count; i++) {
      const [x, y, dx, dy] = [values[4 * i]!, values[4 * i + 1]!, values[4 * i + 2]!, values[4 * i + 3]!];
      const size = Math.hypot(dx, dy) || 1e-9;
      const long = (most * Math.sqrt(size / longest)) / size;
      const [tx, ty] = [x + long * dx, y + long * dy];
      const turned = Math.atan2(-dy, dx);
      const head = 5 * this.dense;
      this.ink.moveTo(this.x(x), this.y(y));
      this.ink.lineTo(this.x(tx), this.y(ty));
      for (const side of [-0.45, 0.45]) {
        this.ink.moveTo(this.x(tx), this.y(ty));
        this.ink.lineTo(this.x(tx) - head * Math.cos(turned + side), this.y(ty) - head * Math.sin(turned + side));
      }
    }
    this.stroke(style, 1.2, 0.9);
  }

  text(words: string, x: number, y: number, align: CanvasTextAlign = "left"): void {
    this.ink.fillStyle = colour("--soft");
    this.ink.font = `${11 * this.dense}px system-ui, sans-serif`;
    this.ink.textAlign = align;
    this.ink.fillText(words, x, y);
  }
}

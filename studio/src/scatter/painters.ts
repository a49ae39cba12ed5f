// Points on a canvas: by WebGL where there is one, else by hand. What the libraries for this do
// by code that is made as text (eval) the studio's policy of content forbids.
import type { Camera, Size } from "./camera";

export interface Painter {
  way: "webgl" | "2d";
  /** Points x, y in turn, and red, green and blue of each. */
  load(points: Float32Array, colours: Uint8Array): void;
  paint(camera: Camera, size: Size, radius: number): void;
  close(): void;
}

const VERTEX = `
attribute vec2 place;
attribute vec3 colour;
uniform vec2 middle;
uniform vec2 half_size;
uniform mediump float diameter;
varying vec3 ink;
void main() {
  gl_Position = vec4((place - middle) / half_size, 0.0, 1.0);
  gl_PointSize = diameter;
  ink = colour;
}`;

const FRAGMENT = `
precision mediump float;
uniform mediump float diameter;
varying vec3 ink;
void main() {
  float far = length(gl_PointCoord - 0.5) * diameter;
  float alpha = 0.85 * clamp(0.5 * diameter - far, 0.0, 1.0);
  gl_FragColor = vec4(ink * alpha, alpha);
}`;

/** Null where there is no WebGL. */
export function byWebGL(canvas: HTMLCanvasElement): Painter | null {
  const gl = canvas.getContext("webgl", { premultipliedAlpha: true });
  const program = gl && linked(gl);
  if (!gl || !program) return null;
  const buffers = [gl.createBuffer(), gl.createBuffer()];
  const at = (name: string) => gl.getUniformLocation(program, name);
  const [middle, half, diameter] = [at("middle"), at("half_size"), at("diameter")];
  let count = 0;
  gl.useProgram(program);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  const attribute = (name: string, buffer: WebGLBuffer, data: BufferSource, width: number, type: number) => {
    const place = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, width, type, type === gl.UNSIGNED_BYTE, 0, 0);
  };
  return {
    way: "webgl",
    load(points, colours) {
      count = points.length / 2;
      attribute("place", buffers[0]!, points as Float32Array<ArrayBuffer>, 2, gl.FLOAT);
      attribute("colour", buffers[1]!, colours as Uint8Array<ArrayBuffer>, 3, gl.UNSIGNED_BYTE);
    },
    paint(camera, size, radius) {
      const dense = sized(canvas, size);
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.uniform2f(middle, camera.x, camera.y);
      gl.uniform2f(half, (size.width / 2) * camera.unit, (size.height / 2) * camera.unit);
      gl.uniform1f(diameter, 2 * radius * dense);
      gl.drawArrays(gl.POINTS, 0, count);
    },
    close() {
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

export function byHand(canvas: HTMLCanvasElement): Painter {
  const draw = canvas.getContext("2d");
  let [places, inks] = [new Float32Array(), [] as string[]];
  return {
    way: "2d",
    load(points, colours) {
      places = points as Float32Array<ArrayBuffer>;
      inks = [];
      for (let k = 0; k < colours.length; k += 3) {
        inks.push(`rgb(${colours[k]} ${colours[k + 1]} ${colours[k + 2]} / 85%)`);
      }
    },
    paint(camera, size, radius) {
      const dense = sized(canvas, size);
      if (!draw) return;
      draw.setTransform(dense, 0, 0, dense, 0, 0);
      draw.clearRect(0, 0, size.width, size.height);
      inks.forEach((ink, place) => {
        const left = size.width / 2 + (places[2 * place]! - camera.x) / camera.unit;
        const top = size.height / 2 - (places[2 * place + 1]! - camera.y) / camera.unit;
        draw.fillStyle = ink;
        draw.fillRect(left - radius, top - radius, 2 * radius, 2 * radius);
      });
    },
    close() {},
  };
}

/** As many pixels as the screen has; tells how many for one of CSS. */
function sized(canvas: HTMLCanvasElement, size: Size): number {
  const dense = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(size.width * dense), Math.round(size.height * dense)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  return dense;
}

function linked(gl: WebGLRenderingContext): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [type, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(type);
    if (!shader || !program) return null;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

// Files of what a view shows, and the Python that gives the same.
import { useState } from "preact/hooks";
import type { Asked, Datum, Latent } from "../latent";
import { words } from "../words";
import { pythonOf } from "./as_code";
import { AsCode, Download, Trouble } from "./basics";

const t = words(
  { files: "Download", whole: "Download {suffix}" },
  { files: "내려받기", whole: "{suffix} 내려받기" },
);

interface FilesProps {
  latent: Latent;
  /** Null: there is nothing yet. */
  asked: Asked | null;
  /** Of the file, without a suffix. */
  name: string;
  suffixes?: string[];
  /** Saved as it is where nobody writes files. */
  shown?: Datum | null | undefined;
  code?: string | null;
}

export function Files({ latent, asked, name, suffixes, shown, code }: FilesProps) {
  const [error, setError] = useState<unknown>(null);
  if (!asked) return null;
  const python = code === undefined ? pythonOf(latent.about, asked) : code;
  const { file } = latent;
  const save = async (suffix: string) => {
    try {
      setError(null);
      saveBlob(await file!.call(latent, asked, suffix), `${name}${suffix}`);
    } catch (found) {
      setError(found);
    }
  };
  return (
    <div class="files">
      <div class="row" role="group" aria-label={t("files")}>
        {file
          ? (suffixes ?? latent.about.files).map((suffix) => (
              <button key={suffix} type="button" onClick={() => void save(suffix)}>
                {t("whole", { suffix })}
              </button>
            ))
          : shown && <DownloadDatum datum={shown} name={name} />}
      </div>
      <Trouble error={error} />
      {python && <AsCode code={python} />}
    </div>
  );
}

/** What is shown, saved as it is. */
export function DownloadDatum({ datum, name }: { datum: Datum; name: string }) {
  switch (datum.kind) {
    case "image":
      return <Download href={datum.src} name={`${name}.png`} />;
    case "film":
      return <Download href={datum.src} name={`${name}.gif`} />;
    case "sound":
      return <Download href={datum.src} name={`${name}.wav`} />;
    case "row":
      return <Download href={csvOf(datum.names, [datum.values])} name={`${name}.csv`} />;
    case "series":
      return <Download href={csvOf(datum.names, datum.steps)} name={`${name}.csv`} />;
    case "tokens":
      return <Download href={csvOf([], [datum.tokens])} name={`${name}.csv`} />;
  }
}

export function saveBlob(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}


function csvOf(names: string[], rows: (number | null)[][]): string {
  const head = names.length ? [names.map((name) => `"${name.replaceAll('"', '""')}"`).join(",")] : [];
  const body = rows.map((row) => row.map((each) => each ?? "").join(","));
  return `data:text/csv;charset=utf-8,${encodeURIComponent([...head, ...body].join("\n"))}`;
}

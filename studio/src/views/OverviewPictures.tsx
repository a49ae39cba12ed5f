// The pictures of a run, and samples of one that trains, as they come; a click makes them large.
import { useEffect, useRef, useState } from "preact/hooks";
import { Download, Trouble } from "../parts/basics";
import { usePolled } from "../parts/polled";
import { get, url } from "../server";
import { words } from "../words";
import type { RunInfo } from "./run_info";

const t = words(
  {
    title: "Pictures",
    none: "There are no pictures yet; evaluating the run draws them.",
    soon: "Samples come with the first checkpoint.",
    samples: "samples at step {step}",
    large: "Enlarge: {name}",
    close: "Close",
    before: "Previous",
    after: "Next",
  },
  {
    title: "그림",
    none: "아직 그림이 없습니다. 모델을 평가하면 그려집니다.",
    soon: "첫 체크포인트가 저장되면 샘플이 나타납니다.",
    samples: "{step} 스텝의 샘플",
    large: "크게 보기: {name}",
    close: "닫기",
    before: "이전",
    after: "다음",
  },
);

interface Picture {
  name: string;
  title: string;
  src: string;
}

interface Snapshots {
  steps: number[];
  busy: boolean;
  problem: string | null;
}

export function OverviewPictures({ run, known }: { run: RunInfo; known: boolean }) {
  const id = encodeURIComponent(run.id);
  const watched = known && run.weights && (run.active || run.job?.kind === "train" || run.job?.kind === "resume");
  const { value } = usePolled<Snapshots>(
    () => get(`run/${id}/snapshots`, { draw: watched ? "yes" : null }),
    watched ? 2 : 3600,
    [run.id, watched],
  );
  const drawn = run.pictures.map(
    (name): Picture => ({
      name: `${run.name}-${name}`,
      title: name.replace(/\.\w+$/, "").replaceAll("_", " "),
      src: `${url(`run/${id}/picture/${encodeURIComponent(name)}`)}?v=${run.changed}`,
    }),
  );
  const samples = (value?.steps ?? []).map(
    (step): Picture => ({
      name: `${run.name}-step-${step}.png`,
      title: t("samples", { step: step.toLocaleString("en") }),
      src: url(`run/${id}/snapshot/${step}`),
    }),
  );
  const all = [...samples, ...drawn];
  const [open, setOpen] = useState<number | null>(null);
  return (
    <section>
      <h2>{t("title")}</h2>
      {watched && value?.problem && <Trouble error={value.problem} />}
      {all.length === 0 && <p class="soft">{t(watched ? "soon" : "none")}</p>}
      <div class="pictures">
        {all.map((picture, place) => (
          <figure key={picture.src}>
            <button
              type="button"
              class="plain"
              aria-label={t("large", { name: picture.title })}
              onClick={() => setOpen(place)}
            >
              <img src={picture.src} alt={picture.title} loading="lazy" />
            </button>
            <figcaption class="small soft">{picture.title}</figcaption>
          </figure>
        ))}
      </div>
      {open !== null && all[open] && (
        <Large picture={all[open]} move={(by) => setOpen((open + by + all.length) % all.length)} close={() => setOpen(null)} />
      )}
    </section>
  );
}

interface LargeProps {
  picture: Picture;
  move: (by: number) => void;
  close: () => void;
}

/** Arrow keys go on, Escape closes it. */
function Large({ picture, move, close }: LargeProps) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    place.current?.showModal();
  }, []);
  return (
    <dialog
      ref={place}
      class="large"
      aria-label={picture.title}
      onClose={close}
      onClick={(event) => event.target === event.currentTarget && place.current?.close()}
      onKeyDown={(event) => {
        if (event.key === "ArrowLeft") move(-1);
        if (event.key === "ArrowRight") move(1);
      }}
    >
      <img src={picture.src} alt={picture.title} />
      <div class="row">
        <span>{picture.title}</span>
        <button type="button" onClick={() => move(-1)}>
          ← {t("before")}
        </button>
        <button type="button" onClick={() => move(1)}>
          {t("after")} →
        </button>
        <Download href={picture.src} name={picture.name} />
        <button type="button" onClick={() => place.current?.close()}>
          {t("close")}
        </button>
      </div>
    </dialog>
  );
}

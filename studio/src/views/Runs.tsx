// The runs that there are.
import { Busy, Trouble, useFetched } from "../parts/basics";
import { href } from "../route";
import { get } from "../server";
import { words } from "../words";
import type { RunInfo } from "./runs";

const t = words(
  { title: "Runs", none: "There is no run yet." },
  { title: "학습 목록", none: "아직 학습한 모델이 없습니다." },
);

export function Runs() {
  const { value, error } = useFetched(() => get<RunInfo[]>("runs"), []);
  return (
    <>
      <h1>{t("title")}</h1>
      <Trouble error={error} />
      {!value && !error && <Busy />}
      {value?.length === 0 && <p>{t("none")}</p>}
      <ul>
        {value?.map((run) => (
          <li key={run.id}>
            <a href={href("run", run.id)}>{run.name}</a>
          </li>
        ))}
      </ul>
    </>
  );
}
Runs.title = () => t("title");

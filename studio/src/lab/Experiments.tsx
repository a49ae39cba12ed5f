// Things to try, as buttons; the chosen one says what to look at.
import { language, words } from "../words";
import { EXPERIMENTS, type Experiment } from "./tries";

const t = words({ title: "Things to try" }, { title: "해 볼 만한 실험" });

interface ExperimentsProps {
  chosen: Experiment | null;
  onChoose: (experiment: Experiment) => void;
}

export function Experiments({ chosen, onChoose }: ExperimentsProps) {
  const told = (experiment: Experiment) => (language.value === "ko" ? experiment.ko : experiment.en);
  return (
    <section class="experiments" aria-label={t("title")}>
      <h2>{t("title")}</h2>
      <div class="row">
        {EXPERIMENTS.map((experiment) => (
          <button
            key={experiment.id}
            type="button"
            class="small"
            aria-pressed={chosen?.id === experiment.id}
            onClick={() => onChoose(experiment)}
          >
            {told(experiment)[0]}
          </button>
        ))}
      </div>
      <div role="status">{chosen && <p class="note">{told(chosen)[1]}</p>}</div>
    </section>
  );
}

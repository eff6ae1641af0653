"""What nannyml says of the employment set of ../shared/data/quality, chunk by chunk, and how much processor time it takes.

Usage: accuracy_peer.py FOLDER OUT-FOLDER PEER-CSV
Writes OUT-FOLDER/reference.csv and analysis.csv (probability, prediction, employed) for ours, and PEER-CSV (chunk, estimate, true).
"""

import os
import sys
import time

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import pandas as pd  # noqa: E402

CHUNK = 5_000


def sets(folder):
    reference = pd.read_parquet(f"{folder}/employment_MA_reference.pq")
    analysis = pd.read_parquet(f"{folder}/employment_MA_analysis.pq")
    target = pd.read_parquet(f"{folder}/employment_MA_analysis_target.pq")
    return reference, analysis.merge(target, on="id", validate="one_to_one").sort_values("id")


def main(folder, out, peer):
    reference, analysis = sets(folder)
    columns = ["predicted_probability", "prediction", "employed"]
    reference[columns].to_csv(f"{out}/reference.csv", index=False)
    analysis[columns].to_csv(f"{out}/analysis.csv", index=False)

    import nannyml

    estimator = nannyml.CBPE(
        problem_type="classification_binary",
        y_pred_proba="predicted_probability",
        y_pred="prediction",
        y_true="employed",
        metrics=["accuracy"],
        chunk_size=CHUNK,
    )
    begun = time.process_time()
    estimator.fit(reference)
    fitted = time.process_time()
    said = estimator.estimate(analysis.drop(columns="employed"))
    done = time.process_time()
    said = said.filter(period="analysis").to_df()
    values = said[("accuracy", "value")].to_list()
    right = (analysis["prediction"] == analysis["employed"]).to_numpy()
    with open(peer, "w") as to:
        to.write(f"# nannyml {nannyml.__version__}; fit {fitted - begun:.3f} s, estimate {done - fitted:.3f} s\n")
        to.write("chunk,estimate,true\n")
        for at in range(len(right) // CHUNK):
            true = right[at * CHUNK : (at + 1) * CHUNK].mean()
            to.write(f"{at},{values[at]:.6f},{true:.6f}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

import argparse
import json

from bench import hotpath


def main() -> None:
    """Measure, and end with one JSON line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="time for each figure")
    seconds = parser.parse_args().seconds
    figures = {
        f"hotpath_{events}_vs_plain": hotpath.ratio(events, seconds) for events in (200, 5000)
    }
    for name, value in figures.items():
        print(json.dumps({"figure": name, "value": round(value, 2), "unit": "ratio"}))


if __name__ == "__main__":
    main()

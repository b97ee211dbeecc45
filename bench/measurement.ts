/** A figure that is held to a bound. */
export interface Measurement {
  value: number;
  unit: string;
  /** As a person reads it: `≤ 480`. */
  bound: string;
  holds: boolean;
  /** What others needed for the same in the same run, in the same unit unless it says more. */
  beside?: Record<string, number | string>;
}

export function atMost(
  limit: number,
  value: number,
  unit: string,
  beside?: Measurement['beside'],
): Measurement {
  return { value, unit, bound: `≤ ${limit}`, holds: value <= limit, ...(beside && { beside }) };
}

export function atLeast(
  limit: number,
  value: number,
  unit: string,
  beside?: Measurement['beside'],
): Measurement {
  return { value, unit, bound: `≥ ${limit}`, holds: value >= limit, ...(beside && { beside }) };
}

/** Figures by name, as a scenario returns them: what is held to a bound, and what is only told. */
export type Figures = { [name: string]: Figure };
export type Figure = number | string | boolean | Measurement | Figures | Figure[];

/** Every measurement in there, by the path that leads to it. */
export function measurementsIn(figures: Figure, path: string[] = []): [string, Measurement][] {
  if (typeof figures !== 'object') return [];
  if (isMeasurement(figures)) return [[path.join(', '), figures]];
  return Object.entries(figures).flatMap(([name, figure]) =>
    measurementsIn(figure, [...path, name]),
  );
}

function isMeasurement(figures: object): figures is Measurement {
  return 'holds' in figures && 'bound' in figures;
}

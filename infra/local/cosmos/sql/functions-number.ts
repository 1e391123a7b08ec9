import { type BuiltIn, type BuiltIns, ofNumber, ofNumbers, plain } from './built-in.ts'
import { finite } from './operators.ts'

/** Half goes away from zero. */
function round(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value))
}

/** A function of whole numbers in 64 bits; undefined for fractions and for a division by zero. */
function ofIntegers(count: number, calculate: (left: bigint, right: bigint) => bigint): BuiltIn {
  return plain(count, (left, right = 0) => {
    if (!Number.isInteger(left) || !Number.isInteger(right)) return undefined
    const [first, second] = [BigInt(Number(left)), BigInt(Number(right))]
    return Number(BigInt.asIntN(64, calculate(first, second)))
  })
}

function dividing(calculate: (left: bigint, right: bigint) => bigint): BuiltIn {
  const divide = ofIntegers(2, calculate)
  return {
    ...divide,
    apply: (values, world) => (values[1] === 0 ? undefined : divide.apply(values, world)),
  }
}

/** Counts of bits outside 0 to 63 shift everything out, or would ask for more memory than there is. */
function shifting(calculate: (left: bigint, right: bigint) => bigint): BuiltIn {
  const shift = ofIntegers(2, calculate)
  const isCount = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value < 64
  return {
    ...shift,
    apply: (values, world) => (isCount(values[1]) ? shift.apply(values, world) : undefined),
  }
}

/** The mathematical functions. A value that is no number, or a result that is none, is undefined. */
export const NUMBER_FUNCTIONS: BuiltIns = {
  ABS: ofNumber(Math.abs),
  ACOS: ofNumber(Math.acos),
  ASIN: ofNumber(Math.asin),
  ATAN: ofNumber(Math.atan),
  ATN2: ofNumbers(Math.atan2),
  CEILING: ofNumber(Math.ceil),
  COS: ofNumber(Math.cos),
  COT: ofNumber((value) => 1 / Math.tan(value)),
  DEGREES: ofNumber((value) => (value * 180) / Math.PI),
  EXP: ofNumber(Math.exp),
  FLOOR: ofNumber(Math.floor),
  LOG: {
    least: 1,
    most: 2,
    apply: ([value, base = Math.E]) => {
      if (typeof value !== 'number' || typeof base !== 'number') return undefined
      return finite(base === Math.E ? Math.log(value) : Math.log(value) / Math.log(base))
    },
  },
  LOG10: ofNumber(Math.log10),
  /** The multiple of the bin size next below the value, or above it for a negative size. */
  NumberBin: {
    least: 1,
    most: 2,
    apply: ([value, size = 1]) =>
      typeof value === 'number' && typeof size === 'number' && size !== 0
        ? finite(Math.floor(value / size) * size)
        : undefined,
  },
  PI: plain(0, () => Math.PI),
  POWER: ofNumbers((value, exponent) => value ** exponent),
  RADIANS: ofNumber((value) => (value * Math.PI) / 180),
  RAND: { least: 0, most: 0, apply: (_, { random }) => random() },
  ROUND: {
    least: 1,
    most: 2,
    apply: ([value, digits = 0]) => {
      if (typeof value !== 'number' || !Number.isInteger(digits)) return undefined
      const scale = 10 ** Number(digits)
      return finite(round(value * scale) / scale)
    },
  },
  SIGN: ofNumber(Math.sign),
  SIN: ofNumber(Math.sin),
  SQRT: ofNumber(Math.sqrt),
  SQUARE: ofNumber((value) => value * value),
  TAN: ofNumber(Math.tan),
  TRUNC: ofNumber(Math.trunc),
  IntAdd: ofIntegers(2, (left, right) => left + right),
  IntSub: ofIntegers(2, (left, right) => left - right),
  IntMul: ofIntegers(2, (left, right) => left * right),
  IntDiv: dividing((left, right) => left / right),
  IntMod: dividing((left, right) => left % right),
  IntBitAnd: ofIntegers(2, (left, right) => left & right),
  IntBitOr: ofIntegers(2, (left, right) => left | right),
  IntBitXor: ofIntegers(2, (left, right) => left ^ right),
  IntBitNot: ofIntegers(1, (value) => ~value),
  IntBitLeftShift: shifting((left, right) => left << right),
  IntBitRightShift: shifting((left, right) => left >> right),
}

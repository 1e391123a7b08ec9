/** Where something stands in the query text, for error messages. */
export interface Span {
  readonly start: number
  readonly end: number
}

export type BinaryOperator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '&'
  | '|'
  | '^'
  | '<<'
  | '>>'
  | '>>>'
  | '||'
  | '??'

export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null | undefined }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'name'; readonly name: string; readonly span: Span }
  | { readonly kind: 'member'; readonly of: Expression; readonly key: Expression }
  | { readonly kind: 'unary'; readonly operator: '+' | '-' | '~'; readonly operand: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Expression[] }
  | {
      readonly kind: 'binary'
      readonly operator: BinaryOperator
      readonly left: Expression
      readonly right: Expression
    }
  | {
      readonly kind: 'conditional'
      readonly test: Expression
      readonly yes: Expression
      readonly no: Expression
    }
  | { readonly kind: 'in'; readonly value: Expression; readonly options: readonly Expression[] }
  | {
      readonly kind: 'between'
      readonly value: Expression
      readonly low: Expression
      readonly high: Expression
    }
  | {
      readonly kind: 'like'
      readonly value: Expression
      readonly pattern: Expression
      readonly escape: Expression | undefined
    }
  | {
      readonly kind: 'call'
      /** Upper case for a built-in; as written, after `udf.`, for a function of the container. */
      readonly name: string
      readonly userDefined: boolean
      readonly values: readonly Expression[]
      readonly span: Span
    }
  | {
      readonly kind: 'object'
      readonly properties: readonly { readonly name: string; readonly value: Expression }[]
    }
  | { readonly kind: 'array'; readonly items: readonly Expression[] }
  | {
      readonly kind: 'subquery'
      readonly form: 'exists' | 'array' | 'scalar'
      readonly query: Query
      readonly span: Span
    }

export type Source =
  /** A path from the container, from a name bound before, or from a subquery; `iterate` is `x IN path`. */
  | {
      readonly kind: 'path'
      readonly root: string
      readonly keys: readonly (string | number)[]
      readonly alias: string | undefined
      readonly iterate: boolean
      readonly span: Span
    }
  | {
      readonly kind: 'query'
      readonly query: Query
      readonly alias: string | undefined
      readonly iterate: boolean
      readonly span: Span
    }

export interface SelectItem {
  readonly value: Expression
  readonly alias: string | undefined
}

export type Selection =
  | { readonly kind: 'all'; readonly span: Span }
  | { readonly kind: 'value'; readonly value: Expression }
  | { readonly kind: 'list'; readonly items: readonly SelectItem[] }

export interface OrderItem {
  readonly value: Expression
  readonly descending: boolean
  readonly span: Span
}

export interface Query {
  readonly distinct: boolean
  readonly top: Expression | undefined
  readonly selection: Selection
  readonly sources: readonly Source[]
  readonly where: Expression | undefined
  readonly groupBy: readonly Expression[] | undefined
  readonly orderBy: readonly OrderItem[]
  readonly offset: Expression | undefined
  readonly limit: Expression | undefined
  readonly span: Span
}

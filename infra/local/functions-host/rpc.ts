/**
 * The part of `@azure/functions-core` that `@azure/functions` 4.16 uses. The package exists only inside the real Node
 * worker, so its words are written down here.
 */
export interface TypedData {
  readonly string?: string
  readonly json?: string
  readonly bytes?: Uint8Array
  readonly int?: number
  readonly double?: number
  readonly http?: RpcHttp
  readonly collectionString?: { readonly string: readonly string[] }
  readonly collectionBytes?: { readonly bytes: readonly Uint8Array[] }
  readonly collectionSint64?: { readonly sint64: readonly number[] }
}

export type Nullable<T> = { readonly value: T }

export interface RpcHttp {
  readonly method?: string
  readonly url?: string
  readonly nullableHeaders?: Readonly<Record<string, Nullable<string>>>
  readonly nullableQuery?: Readonly<Record<string, Nullable<string>>>
  readonly nullableParams?: Readonly<Record<string, Nullable<string>>>
  readonly body?: TypedData | null
  readonly statusCode?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: readonly RpcCookie[]
}

export interface RpcCookie {
  readonly name: string
  readonly value: string
  readonly domain?: Nullable<string>
  readonly path?: Nullable<string>
  readonly expires?: Nullable<string | number | Date>
  readonly secure?: Nullable<boolean>
  readonly httpOnly?: Nullable<boolean>
  /** `none` means that the function said nothing about it. */
  readonly sameSite?: 'none' | 'lax' | 'strict' | 'explicitNone'
  readonly maxAge?: Nullable<number>
}

/** A binding as the library registers it; its own options stand beside these. */
export interface BindingInfo {
  readonly type: string
  readonly direction: 'in' | 'out'
  readonly name?: string
  readonly [option: string]: unknown
}

export interface FunctionMetadata {
  readonly name: string
  readonly bindings: Readonly<Record<string, BindingInfo>>
  readonly retryOptions?: RetryOptions | undefined
}

interface RetryOptions {
  readonly retryStrategy?: string
  readonly maxRetryCount?: number
  readonly delayInterval?: { readonly seconds: number }
  readonly minimumInterval?: { readonly seconds: number }
  readonly maximumInterval?: { readonly seconds: number }
}

export type FunctionCallback = (...inputs: unknown[]) => unknown

export type LogLevel = 'trace' | 'debug' | 'information' | 'warning' | 'error' | 'critical' | 'none'
export type LogCategory = 'user' | 'system' | 'customMetric'

export interface RetryContext {
  readonly retryCount: number
  readonly maxRetryCount: number
  readonly exception?: { readonly message: string }
}

interface InvocationRequest {
  readonly invocationId: string
  readonly functionId: string
  readonly inputData: readonly { readonly name: string; readonly data: TypedData }[]
  readonly triggerMetadata: Readonly<Record<string, TypedData>>
  readonly retryContext?: RetryContext
  readonly traceContext?: { readonly traceParent: string; readonly traceState: string }
}

export interface CoreInvocationContext {
  readonly invocationId: string
  readonly request: InvocationRequest
  readonly metadata: FunctionMetadata
  state: 'preInvocationHooks' | 'invocation' | 'postInvocationHooks' | undefined
  log(level: LogLevel, category: LogCategory, message: string): void
}

export interface InvocationResponse {
  readonly invocationId: string
  readonly outputData?: readonly { readonly name: string; readonly data: TypedData }[]
  readonly returnValue?: TypedData | null
}

interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>
  getResponse(context: unknown, result: unknown): Promise<InvocationResponse>
}

export interface ProgrammingModel {
  readonly name: string
  readonly version: string
  getInvocationModel(context: CoreInvocationContext): InvocationModel
  getCapabilities?(capabilities: Record<string, string>): Promise<Record<string, string>>
}

export const HOOK_NAMES = [
  'preInvocation',
  'postInvocation',
  'appStart',
  'appTerminate',
  'log',
] as const
export type HookName = (typeof HOOK_NAMES)[number]
export type HookCallback = (context: Record<string, unknown>) => unknown

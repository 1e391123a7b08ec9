import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileRoute, pathSegments } from '../../../infra/local/functions-host/route-template.ts'

const match = (template: string, path: string) => compileRoute(template).match(pathSegments(path))

test.for([
  ['', '/', {}],
  ['', '/a', undefined],
  ['a/b', '/A/b/', {}],
  ['a/b', '/a', undefined],
  ['a/{x}', '/a/', undefined],
  ['a/{x?}', '/a', {}],
  ['a/{x?}', '/a/1', { x: '1' }],
  ['a/{x=5}', '/a', { x: '5' }],
  ['a/{x}/c', '/a/b%20/c', { x: 'b ' }],
  ['a/{x}', '/a/100%', { x: '100%' }],
  ['a/{*rest}', '/a', {}],
  ['a/{*rest}', '/a/b//c', { rest: 'b//c' }],
  ['a/{**rest}', '/a/b/c', { rest: 'b/c' }],
  ['{x:int}', '/12', { x: '12' }],
  ['{x:int}', '/2147483648', undefined],
  ['{x:long}', '/2147483648', { x: '2147483648' }],
  ['{x:int?}', '/', {}],
  ['{x:alpha}', '/ab1', undefined],
  [
    '{x:guid}',
    '/3f2504e0-4f89-11d3-9a0c-0305e82c3301',
    { x: '3f2504e0-4f89-11d3-9a0c-0305e82c3301' },
  ],
  ['{x:bool}', '/True', { x: 'True' }],
  ['{x:length(2,3)}', '/abcd', undefined],
  ['{x:minlength(2):alpha}', '/ab', { x: 'ab' }],
  ['{x:minlength(2):alpha}', '/a', undefined],
  ['{x:range(1,9)}', '/10', undefined],
  ['{x:regex(^[a-z]{{2}}$)}', '/ab', { x: 'ab' }],
  ['{x:regex(^[a-z]{{2}}$)}', '/abc', undefined],
  ['v{x}.json', '/v12.json', { x: '12' }],
  ['v{x}.json', '/v.json', undefined],
] as const)('%s against %s gives %o', ([template, path, params]) => {
  expect(match(template, path)).toEqual(params)
})

test.for([
  ['a/{*x}/b', 'catch-all comes last'],
  ['a/{x?}/b', 'optional'],
  ['{x}/{X}', 'twice'],
  ['{x:unknown}', 'no constraint'],
  ['a//b', 'empty segment'],
  ['{x', 'braces'],
  ['{a}-{b}', 'one parameter'],
] as const)('%s is refused: %s', ([template, problem]) => {
  expect(() => compileRoute(template)).toThrow(problem)
})

test('an encoded segment comes out as it went in', () => {
  const segment = fc.string({ minLength: 1 }).filter((text) => !/[/]/.test(text))
  fc.assert(
    fc.property(segment, (text) => {
      expect(match('a/{x}/b', `/a/${encodeURIComponent(text)}/b`)).toEqual({ x: text })
    }),
  )
})

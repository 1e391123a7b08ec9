import {
  each,
  eventOf,
  listAt,
  operationOf,
  textAt,
  unknownEvent,
  type Meaning,
  type Reader,
} from './meaning.ts'

/** Employees with what was done to them; the newer events have one each and a dotted type. */
export const bamboohr: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const type = textAt(body, 'type')
    if (type === undefined) {
      const employees = listAt(body, 'employees')
      return employees.length === 0 ? [unknownEvent(undefined)] : each(employees, readEmployee)
    }
    return [
      eventOf({
        eventType: type,
        entityType: type.split('.')[0],
        externalId: textAt(body, 'data', 'employeeId') ?? textAt(body, 'data', 'id'),
        operation: operationOf(type),
        sourceVersion: textAt(body, 'timestamp'),
      }),
    ]
  },
}

function readEmployee(employee: unknown): Meaning {
  const action = textAt(employee, 'action') ?? 'Updated'
  return eventOf({
    eventType: `employee.${action.toLowerCase()}`,
    entityType: 'employee',
    externalId: textAt(employee, 'id'),
    operation: operationOf(`employee.${action}`),
    sourceVersion: textAt(employee, 'timestamp'),
    content: employee,
  })
}

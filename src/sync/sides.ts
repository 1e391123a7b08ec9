import type { SyncPorts } from './ports.ts'
import { policyOf, type Side } from './side.ts'
import type { Task } from './task.ts'

/** One connection's part, with the task that says so. */
export interface TaskSide extends Side {
  readonly task: Task
}

type TaskPorts = Pick<SyncPorts, 'tasks' | 'mappingOf'>

/** Every connection that takes part in an entity type of a tenant, each once; those that are written to first. */
export async function sidesOf(
  ports: TaskPorts,
  tenantId: string,
  entityType: string,
): Promise<readonly TaskSide[]> {
  const conditions = [
    { field: 'entityType', is: '=', value: entityType },
    { field: 'enabled', is: '=', value: true },
  ] as const
  const sides = new Map<string, TaskSide>()
  for await (const { document } of ports.tasks.query({ anyOf: [conditions] }, [tenantId])) {
    const side = await sideOf(ports, document)
    const known = side && sides.get(side.connectionId)
    if (side && (!known || (side.pushes && !known.pushes))) sides.set(side.connectionId, side)
  }
  return [...sides.values()].sort((a, b) => Number(b.pushes) - Number(a.pushes))
}

/** Undefined when the vendor has no such stream. */
export async function sideOf(
  ports: Pick<SyncPorts, 'mappingOf'>,
  task: Task,
): Promise<TaskSide | undefined> {
  const mapping = await ports.mappingOf(task)
  if (!mapping) return undefined
  return {
    task,
    connectionId: task.connectionId,
    integrationId: task.integrationId,
    mapping,
    policy: policyOf(task),
    duplicates: task.duplicates,
    pushes: task.syncMode !== 'pull',
  }
}

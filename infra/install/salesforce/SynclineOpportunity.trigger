trigger SynclineOpportunity on Opportunity (after insert, after update, after delete, after undelete) {
    SynclinePublisher.publish(Trigger.isDelete ? Trigger.old : Trigger.new, Trigger.operationType);
}

// InitProducerId: who an idempotent producer is.
//
// (1) Without a transactional id the answer is a new id, of epoch 0, whatever the client was before: clients
// raise their epochs themselves. Source: Apache Kafka, TransactionCoordinator.handleInitProducerId. (2) There
// is no coordinator for transactions, as FindCoordinator says.

import KafkaWire
import Logging
import Sluice

extension Broker {
    nonisolated(nonsending) func initProducerId(
        _ request: InitProducerIdRequest
    ) async -> InitProducerIdResponse {
        var response = InitProducerIdResponse()
        if let transaction = request.transactionalID {
            response.errorCode = transaction.isEmpty ? .invalidRequest : .coordinatorNotAvailable
            return response
        }
        do throws(StreamError) {
            response.producerID = try await served.newProducerID()
        } catch {
            // What Kafka says when it has no ids ready; the codes of the disk end a client for good.
            response.errorCode = .coordinatorLoadInProgress
            logger.warning("No producer id can be given.", metadata: ["error": "\(error)"])
        }
        return response
    }
}

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Prints the events of a topic as lines of JSON, partition by partition, and heeds nothing but docs/events-topic.md.
 *
 * <p>java -cp 'kafka/*:avro/*' EventReader.java BOOTSTRAP TOPIC FOLDER-OF-SCHEMAS
 */
public final class EventReader {
  public static void main(String[] arguments) throws Exception {
    Map<Long, BinaryMessageDecoder<GenericRecord>> decoders = decoders(Path.of(arguments[2]));
    Map<String, Object> options =
        Map.of("bootstrap.servers", arguments[0], "auto.offset.reset", "earliest");
    try (var consumer =
        new KafkaConsumer<>(options, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(arguments[1]).stream()
              .map(each -> new TopicPartition(each.topic(), each.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      Map<Integer, Partition> states = new TreeMap<>();
      while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          Partition state = states.computeIfAbsent(record.partition(), each -> new Partition());
          if (state.takes(record)) {
            byte[] value = record.value();
            System.out.println(line(record, decoders.get(fingerprint(value)).decode(value)));
          }
        }
      }
    }
  }

  /** What is remembered of a partition: of which epoch and at which position the last event was. */
  private static final class Partition {
    private long epoch = 1;
    private long position = 0;

    boolean takes(ConsumerRecord<byte[], byte[]> record) {
      long itsEpoch = Long.parseLong(header(record, "parley_epoch"));
      long itsPosition = Long.parseLong(header(record, "parley_position"));
      long previous = Long.parseLong(header(record, "parley_previous"));
      if (itsEpoch < epoch) {
        return false;
      }
      if (itsEpoch > epoch) {
        System.out.printf("{\"epoch\": %d, \"void_after\": %d}%n", itsEpoch, previous);
        epoch = itsEpoch;
        position = previous;
      }
      if (itsPosition <= position) {
        return false;
      }
      if (previous != position) {
        throw new IllegalStateException("a record is missing before position " + itsPosition);
      }
      position = itsPosition;
      return true;
    }
  }

  /** A decoder for each schema, by the schema's fingerprint. */
  private static Map<Long, BinaryMessageDecoder<GenericRecord>> decoders(Path folder) throws IOException {
    Map<Long, BinaryMessageDecoder<GenericRecord>> decoders = new HashMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(each -> each.toString().endsWith(".avsc")).toList()) {
        Schema schema = new Schema.Parser().parse(file.toFile());
        long fingerprint = SchemaNormalization.parsingFingerprint64(schema);
        decoders.put(fingerprint, new BinaryMessageDecoder<>(GenericData.get(), schema));
      }
    }
    return decoders;
  }

  private static long fingerprint(byte[] value) {
    return ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN).getLong(2);
  }

  private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
    Header found = record.headers().lastHeader(name);
    return found == null ? null : new String(found.value(), StandardCharsets.UTF_8);
  }

  private static String line(ConsumerRecord<byte[], byte[]> record, GenericRecord body) {
    return String.format(
        "{\"partition\": %d, \"position\": %s, \"type\": \"%s\", \"stream\": \"%s\", \"data\": %s}",
        record.partition(),
        header(record, "parley_position"),
        header(record, "ce_type"),
        header(record, "ce_subject"),
        body);
  }
}

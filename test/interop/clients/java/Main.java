import io.pyroscope.labels.v2.LabelsSet;
import io.pyroscope.labels.v2.Pyroscope;
import java.util.ArrayList;
import java.util.List;

/** A program under Pyroscope's agent for Java: burns under two values of a dynamic tag, allocates and contends. */
public class Main {
  static final List<byte[]> KEPT = new ArrayList<>();
  static final Object LOCK = new Object();

  static long burn(long ms) {
    long end = System.currentTimeMillis() + ms;
    long sum = 0;
    while (System.currentTimeMillis() < end) {
      for (int i = 0; i < 100_000; i++) sum += (long) i * i;
    }
    return sum;
  }

  static void allocate() {
    for (int i = 0; i < 300; i++) {
      KEPT.add(new byte[64 << 10]);
      if (KEPT.size() > 500) KEPT.clear();
    }
  }

  static void contend() {
    synchronized (LOCK) {
      try {
        Thread.sleep(15);
      } catch (InterruptedException error) {
        throw new IllegalStateException(error);
      }
    }
  }

  /** Arguments: the server's address (the agent has it from its environment), seconds. */
  public static void main(String[] args) throws Exception {
    long end = System.currentTimeMillis() + Long.parseLong(args[1]) * 1_000;
    long sum = 0;
    while (System.currentTimeMillis() < end) {
      for (String vehicle : new String[] {"car", "bike"}) {
        Pyroscope.LabelsWrapper.run(new LabelsSet("vehicle", vehicle), () -> burn(150));
      }
      allocate();
      Thread other = new Thread(Main::contend);
      other.start();
      contend();
      other.join();
    }
    // A program that ends takes the last interval with it.
    Thread.sleep(4_000);
    System.exit(sum == 1 ? 1 : 0);
  }
}
